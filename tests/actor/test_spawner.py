"""The spawner on its own account: what it is, what it does about strays, what it survives."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.actor import processes as act
from treetap.actor import open_nursery
from treetap.errors import ActorDied, ActorError

pytestmark = pytest.mark.usefixtures("home")

SLEEP = "import time; time.sleep(1000)"


async def start_sleeper(options: dict[str, bool]) -> int:
    return subprocess.Popen([sys.executable, "-S", "-c", SLEEP], **options).pid


async def start_sleeper_behind_a_shell() -> int:
    """A program whose own parent is gone at once."""
    said = subprocess.run(
        ["sh", "-c", f"{sys.executable} -S -c '{SLEEP}' >&2 & echo $!"],
        stdout=subprocess.PIPE, check=True,
    ).stdout  # fmt: skip
    return int(said)


async def fork_a_copy() -> int:
    """A child that never execs, as multiprocessing has them: with all of its parent's descriptors."""
    pid = os.fork()
    if not pid:
        time.sleep(1000)
        os._exit(0)
    return pid


async def spawner_of(nursery) -> int:
    return await nursery.run(act.parent_pid)


@trio.testing.trio_test
async def test_the_spawner_is_one_process_with_one_thread_and_ignores_what_goes_to_everybody():
    async with open_nursery() as nursery:
        spawner = await spawner_of(nursery)
        async with open_nursery() as second:
            assert await spawner_of(second) == spawner
        assert len(os.listdir(f"/proc/{spawner}/task")) == 1
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            os.kill(spawner, number)
        assert await nursery.run(act.add, 1, 2) == 3
        assert await spawner_of(nursery) == spawner


def test_the_spawner_ends_with_the_run_and_not_before():
    async def main() -> int:
        async with open_nursery() as nursery:
            spawner = await spawner_of(nursery)
        assert act.is_there(spawner)
        return spawner

    assert not act.is_there(trio.run(main))


def test_runs_in_two_threads_have_a_tree_each():
    async def main() -> None:
        async def run_in_thread() -> int:
            async def inner() -> int:
                async with open_nursery() as nursery:
                    return await spawner_of(nursery)

            return await trio.to_thread.run_sync(trio.run, inner)

        async with open_nursery() as nursery:
            assert await spawner_of(nursery) != await run_in_thread()
            assert await nursery.run(act.add, 1, 2) == 3

    trio.run(main)


@trio.testing.trio_test
async def test_a_program_left_by_an_actor_that_was_killed_is_ended():
    async with open_nursery() as nursery:
        victim, other = [await nursery.start_actor(name) for name in ("victim", "other")]
        left = await victim.run(start_sleeper, {})
        copied = await victim.run(fork_a_copy)
        behind = await victim.run(start_sleeper_behind_a_shell)
        meant = await victim.run(start_sleeper, {"start_new_session": True})
        others = await other.run(start_sleeper_behind_a_shell)
        os.kill(victim.actor.pid, signal.SIGKILL)
        await victim.wait()
        await act.gone(left, copied, behind)
        assert act.is_there(meant)  # in a session of its own: that is how one says so
        assert act.is_there(others)  # of an actor that is well
        for pid in (meant, others):
            os.kill(pid, signal.SIGKILL)
        await act.gone(meant, others)


@trio.testing.trio_test
async def test_a_program_left_by_an_actor_that_ended_in_order_is_left():
    async with open_nursery(cancel_grace_s=act.PATIENCE_S) as nursery:
        portal = await nursery.start_actor("worker")
        left = await portal.run(start_sleeper, {})
        await portal.cancel()
        assert await nursery.run(act.add, 1, 2) == 3
        assert act.is_there(left)
        os.kill(left, signal.SIGKILL)
        await act.gone(left)


@trio.testing.trio_test
async def test_a_death_is_told_though_a_child_of_the_dead_holds_its_channel_open():
    async with open_nursery(cancel_grace_s=act.PATIENCE_S) as nursery:
        victim = await nursery.start_actor("victim")
        copied = await victim.run(fork_a_copy)
        with pytest.raises(ActorDied, match="SIGKILL"):
            await victim.run(act.kill_oneself, signal.SIGKILL)
        await act.gone(copied)


@trio.testing.trio_test
async def test_a_tree_whose_spawner_is_killed_is_gone_and_starts_nothing_more():
    with pytest.raises(ExceptionGroup) as caught:
        async with open_nursery() as nursery:
            portal = await nursery.start_actor("worker")
            os.kill(act.parent_of(portal.actor.pid), signal.SIGKILL)
            try:
                await portal.run(act.wait_forever)
            finally:
                with trio.CancelScope(shield=True):
                    await act.gone(portal.actor.pid)
                    with pytest.raises(ActorError, match="spawner"):
                        await nursery.start_actor("another")
    (error,) = caught.value.exceptions
    assert isinstance(error, ActorDied)
    assert "spawner" in str(error)


@trio.testing.trio_test
async def test_the_next_nursery_after_a_spawner_was_killed_begins_a_tree_anew():
    for _ in range(3):
        with pytest.raises(ExceptionGroup):
            async with open_nursery() as nursery:
                portal = await nursery.start_actor("worker")
                os.kill(act.parent_of(portal.actor.pid), signal.SIGKILL)
                await portal.run(act.wait_forever)
        async with open_nursery() as nursery:
            assert await nursery.run(act.add, 1, 2) == 3


@trio.testing.trio_test
async def test_an_actor_that_talks_nonsense_to_the_spawner_is_ended_and_nobody_else():
    with pytest.raises(ExceptionGroup) as caught:
        async with open_nursery(cancel_grace_s=act.PATIENCE_S) as nursery:
            portal = await nursery.start_actor("liar")
            with pytest.raises(ActorError):
                await portal.run(talk_nonsense)
            with trio.CancelScope(shield=True):
                assert await nursery.run(act.add, 1, 2) == 3
            await trio.sleep_forever()
    (error,) = caught.value.exceptions
    assert isinstance(error, ActorDied)
    assert error.uid == portal.actor.uid


async def talk_nonsense() -> None:
    with socket.socket(fileno=os.dup(4)) as control:
        control.sendall(b"\xff" * 100)
    await trio.sleep_forever()


@trio.testing.trio_test
async def test_an_actor_can_kill_no_actor_but_its_own():
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("victim")
        other = await nursery.start_actor("other")
        await other.run(ask_to_kill, portal.actor.uid)
        assert await other.run(act.add, 1, 2) == 3
        assert await portal.run(act.add, 1, 2) == 3


async def ask_to_kill(uid: str) -> None:
    from treetap.actor import runtime

    runtime.needed().control.say("kill", uid=uid)


@trio.testing.trio_test
async def test_when_there_is_no_room_for_a_process_that_is_an_error():
    async with open_nursery() as nursery:
        await nursery.start_actor("first")
        spawner = await spawner_of(nursery)
        import resource

        was = resource.prlimit(spawner, resource.RLIMIT_NOFILE)
        resource.prlimit(spawner, resource.RLIMIT_NOFILE, (8, was[1]))
        with pytest.raises(ActorError):
            await nursery.start_actor("second")
        resource.prlimit(spawner, resource.RLIMIT_NOFILE, was)


@trio.testing.trio_test
async def test_many_rounds_leave_no_descriptor_behind():
    async with open_nursery() as nursery:
        spawner = await spawner_of(nursery)
        counts = []
        for _ in range(4):
            for _ in range(5):
                await nursery.run(act.pid)
            counts.append([len(os.listdir(f"/proc/{pid}/fd")) for pid in (spawner, os.getpid())])
    # Fewer, if what an earlier test left was collected meanwhile.
    assert all(last <= early for early, last in zip(counts[1], counts[-1], strict=True)), counts


def test_a_copy_of_the_root_does_not_keep_a_tree_alive_whose_root_is_dead(tmp_path: Path):
    """It has the root's control socket too, so that its end isn't to be seen there."""
    from tests.actor.programs import Program
    from tests.conftest import wait_until

    code = """
        import os, sys, time, trio
        from treetap.actor import open_nursery
        from tests.actor.processes import grow

        async def main():
            async with open_nursery() as nursery:
                if not os.fork():
                    time.sleep(1000)
                await nursery.run(grow, 0, 1, sys.argv[1])

        trio.run(main) if __name__ == "__main__" else None
    """
    with Program(tmp_path, code, stderr=subprocess.DEVNULL) as program:
        (pid,) = program.grown(1)
        spawner = act.parent_of(pid)
        program.process.kill()
        program.process.wait()
        wait_until(lambda: not act.is_there(pid) and not act.is_there(spawner))
