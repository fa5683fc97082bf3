from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.actor import processes as act
from tests.actor.programs import Program
from tests.conftest import wait_until
from treetap.actor import (
    ANY_TREE,
    current_actor,
    find_actor,
    open_nursery,
    trees,
    wait_for_actor,
)
from treetap.errors import ActorError


async def call_by_name(name: str) -> str:
    async with wait_for_actor(name) as portal:
        return await portal.run(act.name)


async def is_found(name: str) -> bool:
    async with find_actor(name) as portal:
        return portal is not None


@trio.testing.trio_test
async def test_an_actor_is_found_by_its_name_from_anywhere_in_its_tree(home: Path):
    async with open_nursery(name="boss") as nursery:
        await nursery.start_actor("bob")
        alice = await nursery.start_actor("alice")
        assert await alice.run(call_by_name, "bob") == "bob"
        assert await alice.run(call_by_name, "boss") == "boss"
        async with find_actor("bob") as portal:
            assert portal is not None
            assert await portal.run(act.add, 1, 2) == 3
            assert portal.actor.name == "bob"
        assert not await alice.run(is_found, "carol")


@trio.testing.trio_test
async def test_one_can_wait_for_an_actor_that_is_not_there_yet(home: Path):
    async with open_nursery() as nursery:
        alice = await nursery.start_actor("alice")
        found = []

        async def wait() -> None:
            found.append(await alice.run(call_by_name, "bob"))

        async with trio.open_nursery() as tasks:
            tasks.start_soon(wait)
            await alice.run(act.pid)
            await nursery.start_actor("bob")
        assert found == ["bob"]


@trio.testing.trio_test
async def test_waiting_can_be_given_up(home: Path):
    async with open_nursery() as nursery:
        await nursery.start_actor("alice")
        with trio.move_on_after(0.05) as scope:
            async with wait_for_actor("nobody"):
                pass
        assert scope.cancelled_caught
        # What was waited for comes all the same, and nothing is sent to who doesn't wait any more.
        portal = await nursery.start_actor("nobody")
        assert await portal.run(act.add, 1, 2) == 3


@trio.testing.trio_test
async def test_an_actor_that_has_ended_is_not_found(home: Path):
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("bob")
        await portal.cancel()
        async with find_actor("bob") as found:
            assert found is None


OTHER_TREE = """
    import sys, trio
    from treetap.actor import open_nursery
    from tests.actor.processes import grow

    async def main():
        async with open_nursery(name="other") as nursery:
            portal = await nursery.start_actor("bob")
            await portal.run(grow, 0, 1, sys.argv[1])

    trio.run(main) if __name__ == "__main__" else None
"""


@trio.testing.trio_test
async def test_another_tree_is_looked_into_only_when_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TREETAP_HOME", str(tmp_path / "program-home"))
    with Program(tmp_path, OTHER_TREE) as program:
        (pid,) = await trio.to_thread.run_sync(program.grown, 1)
        async with open_nursery():
            own = current_actor().tree
            (other,) = set(trees()) - {own}
            async with find_actor("bob") as portal:
                assert portal is None
            for tree in (other, ANY_TREE):
                async with find_actor("bob", tree=tree) as portal:
                    assert portal is not None
                    assert await portal.run(act.pid) == pid
            async with wait_for_actor("bob", tree=other) as portal:
                assert await portal.run(act.name) == "bob"
            async with find_actor("carol", tree=other) as portal:
                assert portal is None
        # A program without a tree can look too.
        async with wait_for_actor("other", tree=ANY_TREE) as portal:
            assert await portal.run(act.pid) == program.process.pid
            with pytest.raises(ActorError, match="the root of its tree"):
                await portal.cancel()
            assert program.process.poll() is None
        program.process.kill()
        program.process.wait()
        wait_until(lambda: trees() == [own])
        assert len(os.listdir(tmp_path / "program-home/run/trees")) == 1


@trio.testing.trio_test
async def test_a_tree_that_is_not_there_is_an_error(home: Path):
    with pytest.raises(ActorError) as caught:
        async with find_actor("bob", tree="1-1"):
            pass
    assert caught.value.slug == "actor-no-tree"
    with pytest.raises(ActorError):
        async with find_actor("bob"):
            pass


@trio.testing.trio_test
async def test_the_socket_is_for_the_user_alone_and_goes_with_the_tree(home: Path):
    async with open_nursery() as nursery:
        await nursery.start_actor("bob")
        (path,) = (home / "run/trees").iterdir()
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        b"\0\0\0\x02[]",
        b'\0\0\0\x0e{"op":"spawn"}',
        b'\0\0\0\x0d{"op":"find"}',
        b'\0\0\0\x0c{"op":"kill"' + b"x" * 100_000,
    ],
)
@trio.testing.trio_test
async def test_a_hostile_guest_harms_nobody(
    home: Path, garbage: bytes, monkeypatch: pytest.MonkeyPatch
):
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("bob")
        # The folder of a test may be longer than a socket's address.
        monkeypatch.chdir(home / "run/trees")
        (path,) = Path().iterdir()
        for _ in range(3):
            with socket.socket(socket.AF_UNIX) as guest:
                guest.connect(str(path))
                try:
                    guest.sendall(garbage)
                except OSError:
                    pass
        assert await portal.run(act.add, 1, 2) == 3
        assert await nursery.run(act.add, 1, 2) == 3


@trio.testing.trio_test
async def test_a_home_with_a_long_path_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    long_home = tmp_path / ("long" * 30)
    monkeypatch.setenv("TREETAP_HOME", str(long_home))
    async with open_nursery() as nursery:
        await nursery.start_actor("bob")
        assert trees() == [current_actor().tree]


@trio.testing.trio_test
async def test_a_home_that_can_not_be_written_costs_nothing_but_being_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TREETAP_HOME", str(tmp_path / "file"))
    async with open_nursery() as nursery:
        assert await nursery.run(act.add, 1, 2) == 3
    assert subprocess.run(["true"], check=False).returncode == 0
