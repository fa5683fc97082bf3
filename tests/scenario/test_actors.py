"""Trees of actors in bad company: what was found wanting elsewhere, one by one, and chaos."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.actor import processes as act
from tests.actor.programs import TREE, Program
from treetap.actor import Context, open_nursery
from treetap.errors import ActorDied, ActorError

pytestmark = pytest.mark.usefixtures("home")

#: How many random deaths; ``TREETAP_CHAOS_KILLS`` for a long run by hand.
KILLS = int(os.environ.get("TREETAP_CHAOS_KILLS", "200"))
SEED = int(os.environ.get("TREETAP_CHAOS_SEED", "0")) or random.randrange(1, 2**31)


async def start_and_wait(ctx: Context[None, None, None]) -> None:
    await ctx.started(None)
    await trio.sleep_forever()


def leaves_of(exc: BaseException) -> list[BaseException]:
    if isinstance(exc, BaseExceptionGroup):
        return [leaf for each in exc.exceptions for leaf in leaves_of(each)]
    return [exc]


@trio.testing.trio_test
async def test_c1_a_child_that_is_killed_fails_the_calls_and_contexts_that_wait_for_it():
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("victim")
        failed: list[float] = []

        async def call() -> None:
            with pytest.raises(ActorDied, match="SIGKILL"):
                await portal.run(act.wait_forever)
            failed.append(time.monotonic())

        async def hold_context() -> None:
            with pytest.raises(ActorDied, match="SIGKILL"):
                async with portal.open_context(start_and_wait) as (context, _first):
                    opened.set()
                    await context.result()
            failed.append(time.monotonic())

        opened = trio.Event()
        async with trio.open_nursery() as tasks:
            tasks.start_soon(call)
            tasks.start_soon(hold_context)
            await opened.wait()
            began_s = time.monotonic()
            os.kill(portal.actor.pid, signal.SIGKILL)
        assert max(failed) - began_s < 20  # and not only when the nursery is over


@trio.testing.trio_test
async def test_c2_a_child_that_dies_during_an_import_is_an_error_with_the_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "needs_an_argument.py").write_text("import sys\nint(sys.argv[99])\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for method in ("warm", "fresh"):
        async with open_nursery(start_method=method) as nursery:
            with pytest.raises(ActorError, match="IndexError") as caught:
                await nursery.start_actor("worker", preload=["needs_an_argument"])
            assert "int(sys.argv[99])" in str(caught.value)


@trio.testing.trio_test
async def test_c3_a_stuck_child_is_killed_in_time():
    """There is no debug mode that could change that: whether somebody is at a prompt is asked."""
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("stuck")
        async with trio.open_nursery() as tasks:
            tasks.start_soon(act_until_death, portal, act.be_stuck)
            await trio.sleep(0.05)
            began_s = time.monotonic()
            await portal.cancel()
            assert time.monotonic() - began_s < 20
        assert await portal.wait() == -signal.SIGKILL


async def act_until_death(portal, function) -> None:
    with pytest.raises(ActorDied):
        await portal.run(function)


@pytest.mark.parametrize("level", [1, 2])
def test_c4_a_stuck_middle_that_is_killed_takes_its_leaves_with_it(tmp_path: Path, level: int):
    with Program(tmp_path, TREE, "stuck", stderr=subprocess.DEVNULL) as program:
        program.grown(3)
        by_depth = sorted(program.folder.iterdir(), reverse=True)
        victims = [int(path.read_text()) for path in by_depth]
        os.kill(victims[level - 1], signal.SIGKILL)
        program.process.wait(10)
        act_wait_for_nothing(program)


def act_wait_for_nothing(program: Program) -> None:
    from tests.conftest import wait_until

    wait_until(lambda: not program.rest(), 10)


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.timeout(180)
@trio.testing.trio_test
async def test_c5_a_hundred_thousand_calls_grow_neither_side_by_five_megabytes():
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("worker")
        pids = (os.getpid(), portal.actor.pid)

        async def call(count: int) -> None:
            for number in range(count):
                await portal.run(act.add, number, 1)

        async def call_all(count: int) -> None:
            async with trio.open_nursery() as tasks:
                for _ in range(50):
                    tasks.start_soon(call, count // 50)

        await call_all(5_000)
        gc.collect()
        before = [resident_bytes(pid) for pid in pids]
        await call_all(100_000)
        gc.collect()
        after = [resident_bytes(pid) for pid in pids]
    grown = [b - a for a, b in zip(before, after, strict=True)]
    assert max(grown) < 5_000_000, grown


TWO_PROGRAMS = """
    import sys, trio
    from treetap.actor import open_nursery
    from tests.actor.processes import add, grow

    async def main():
        async with open_nursery() as nursery:
            async with trio.open_nursery() as tasks:
                tasks.start_soon(nursery.run, grow, 0, 1, sys.argv[1])
                await trio.to_thread.run_sync(sys.stdin.readline)
                print(await nursery.run(add, 1, 2), flush=True)
                tasks.cancel_scope.cancel()

    trio.run(main) if __name__ == "__main__" else None
"""


def test_c6_two_programs_on_one_host_do_not_meet(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        Program(tmp_path / "a", TWO_PROGRAMS, **pipes) as first,
        Program(tmp_path / "b", TWO_PROGRAMS, **pipes) as second,
    ):
        first.grown(1)
        second.grown(1)
        os.kill(first.process.pid, signal.SIGKILL)  # with whatever it may have left lying about
        first.process.wait(10)
        said, _ = second.process.communicate("go on\n", timeout=20)
        assert said == "3\n"
        assert second.process.returncode == 0


async def rounds_of_chaos(folder: Path, kills: int, seed: int) -> tuple[set[int], int]:
    """Grow a tree, kill random members of it, see that all is gone; and again.

    Returns:
        All pids that there were, and how many were killed.
    """
    dice = random.Random(seed)
    seen: set[int] = set()
    killed = 0
    while killed < kills:
        round_folder = folder / str(killed)
        round_folder.mkdir()
        with trio.fail_after(30):
            try:
                async with open_nursery() as nursery:
                    async with trio.open_nursery() as tasks:
                        for number in range(3):
                            tasks.start_soon(nursery_branch, nursery, number, round_folder)
                        # Some in the middle of growing, some when all are there.
                        wanted = dice.choice([3, 12, 25, 39])
                        pids = await grown_at_least(round_folder, wanted)
                        victims = dice.sample(pids, min(len(pids), dice.choice([1, 2, 10, 25])))
                        seen.update(pids)
                        for pid in victims:
                            with contextlib.suppress(ProcessLookupError):  # it fell with another
                                os.kill(
                                    pid,
                                    dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]),
                                )
                            if dice.random() < 0.3:
                                await trio.sleep(dice.random() * 0.01)
                        await trio.sleep_forever()
            except BaseExceptionGroup as group:
                assert all(isinstance(leaf, ActorError) for leaf in leaves_of(group)), group
        killed += len(victims)
        seen.update(pids_in(round_folder))
        assert not [pid for pid in pids_in(round_folder) if act.is_there(pid)]
    return seen, killed


async def nursery_branch(nursery, number: int, folder: Path) -> None:
    portal = await nursery.start_actor(f"branch{number}")
    await portal.run(act.grow, 2, 3, str(folder))


def pids_in(folder: Path) -> list[int]:
    return [int(path.read_text()) for path in folder.iterdir() if path.read_text()]


async def grown_at_least(folder: Path, count: int) -> list[int]:
    while len(pids := pids_in(folder)) < count:
        await trio.sleep(0.002)
    return pids


@pytest.mark.timeout(0 if KILLS > 200 else 120)
def test_random_deaths_in_a_tree_leave_no_zombie_no_orphan_and_no_hang(tmp_path: Path):
    spawners: list[int] = []
    before = act.children_of(os.getpid())  # of fixtures that other tests share

    async def main() -> tuple[set[int], int]:
        async with open_nursery() as nursery:
            spawners.append(await nursery.run(act.parent_pid))
        outcome = await rounds_of_chaos(tmp_path, KILLS, SEED)
        # Whoever is left by now, zombies among them, would be a child of the spawner.
        assert act.children_of(spawners[0]) == []
        return outcome

    print(f"seed {SEED}")
    seen, killed = trio.run(main)
    assert killed >= KILLS
    assert len(seen) > killed
    assert not any(map(act.is_there, spawners))
    assert set(act.children_of(os.getpid())) <= set(before)
