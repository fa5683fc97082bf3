from __future__ import annotations

import signal
import time
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.actor import processes as act
from treetap.actor import open_nursery, runtime
from treetap.errors import ActorDied, ActorError, RemoteCancelled

pytestmark = pytest.mark.usefixtures("home")


def only(group: BaseExceptionGroup) -> BaseException:
    """The one exception of a group."""
    assert len(group.exceptions) == 1, group.exceptions
    return group.exceptions[0]


@pytest.mark.parametrize("method", ["warm", "fresh"])
@trio.testing.trio_test
async def test_an_actor_answers_and_is_gone_when_its_nursery_is_done(method: str):
    async with open_nursery(start_method=method) as nursery:
        portal = await nursery.start_actor("worker")
        assert await portal.run(act.add, 1, 2) == 3
        pid = await portal.run(act.pid)
        assert portal.actor.pid == pid
        assert await portal.run(act.name) == "worker"
        assert nursery.actors == [portal.actor]
    assert not act.is_there(pid)


@trio.testing.trio_test
async def test_run_calls_a_function_in_an_actor_of_its_own_that_ends_with_it():
    async with open_nursery() as nursery:
        pid = await nursery.run(act.pid)
        assert not act.is_there(pid)
        assert await nursery.run(act.add, 2, b=3) == 5
        assert await nursery.run(act.name) == "name"


@trio.testing.trio_test
async def test_a_nursery_waits_for_the_calls_that_run_when_its_block_is_through():
    results = []
    async with trio.open_nursery() as tasks:
        async with open_nursery() as nursery:

            async def call() -> None:
                results.append(await nursery.run(act.add, 1, 2))

            tasks.start_soon(call)
            await trio.testing.wait_all_tasks_blocked()
    assert results == [3]


@trio.testing.trio_test
async def test_an_error_of_the_block_ends_the_actors_and_is_raised():
    pids = []
    with pytest.raises(ExceptionGroup) as caught:
        async with open_nursery() as nursery:
            for number in range(3):
                portal = await nursery.start_actor(f"worker{number}")
                pids.append(await portal.run(act.pid))
            raise KeyError("mine")
    assert isinstance(only(caught.value), KeyError)
    assert not any(map(act.is_there, pids))


@trio.testing.trio_test
async def test_an_error_in_one_actor_cancels_what_runs_in_the_others(tmp_path: Path):
    with pytest.raises(ExceptionGroup) as caught:
        async with open_nursery(cancel_grace_s=act.PATIENCE_S) as nursery:
            other = await nursery.start_actor("other")
            async with trio.open_nursery() as tasks:
                tasks.start_soon(other.run, act.write_when_cancelled, str(tmp_path / "end"))
                tasks.start_soon(nursery.run, act.fail, "the one")
    assert (tmp_path / "end").read_text() == "cancelled"
    leaf = only(only(caught.value))
    assert isinstance(leaf, ValueError)
    assert str(leaf) == "the one"


@trio.testing.trio_test
async def test_a_death_that_nobody_waits_for_is_raised_by_the_nursery():
    with pytest.raises(ExceptionGroup) as caught:
        async with open_nursery(cancel_grace_s=act.PATIENCE_S) as nursery:
            portal = await nursery.start_actor("victim")
            other = await nursery.start_actor("other")
            act.os.kill(portal.actor.pid, signal.SIGKILL)
            await trio.sleep_forever()
    error = only(caught.value)
    assert isinstance(error, ActorDied)
    assert "victim" in str(error)
    assert "SIGKILL" in str(error)
    assert not act.is_there(other.actor.pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
@trio.testing.trio_test
async def test_a_death_by_a_signal_is_raised_at_once_by_the_call_that_waits(number: int):
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("victim")
        pid = portal.actor.pid
        with pytest.raises(ExceptionGroup) as caught:
            async with trio.open_nursery() as tasks:
                tasks.start_soon(portal.run, act.wait_forever)
                await portal.run(act.add, 1, 1)  # so that the call is running there
                began_s = time.monotonic()
                act.os.kill(pid, number)
        error = only(caught.value)
        assert isinstance(error, ActorDied)
        assert act.name_of_signal(number) in str(error)
        # 100 ms is what is promised; what is measured here includes whatever else runs.
        assert time.monotonic() - began_s < 20
        # Who was told, has seen to it: the nursery goes on.
        assert await nursery.run(act.add, 1, 2) == 3


@trio.testing.trio_test
async def test_sigterm_ends_an_actor_in_order_and_is_named(tmp_path: Path):
    with pytest.raises(ExceptionGroup) as caught:
        async with open_nursery() as nursery:
            portal = await nursery.start_actor("victim")
            with pytest.raises(ExceptionGroup) as caught_call:
                async with trio.open_nursery() as tasks:
                    tasks.start_soon(portal.run, act.write_when_cancelled, str(tmp_path / "end"))
                    await portal.run(act.add, 1, 1)
                    act.os.kill(portal.actor.pid, signal.SIGTERM)
            assert isinstance(only(caught_call.value), RemoteCancelled)
            assert "SIGTERM" in str(only(caught_call.value))
            await trio.sleep_forever()
    assert "SIGTERM" in str(only(caught.value))
    assert (tmp_path / "end").read_text() == "cancelled"


@trio.testing.trio_test
async def test_an_actor_that_ends_by_itself_is_an_error_with_its_exit_code():
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("deserter")
        with pytest.raises(ActorDied, match="exit code 3"):
            await portal.run(act.end_at_once, 3)


@trio.testing.trio_test
async def test_the_error_of_a_death_is_the_only_one_when_the_block_waited_for_it():
    with pytest.raises(ExceptionGroup) as caught:
        async with open_nursery() as nursery:
            portal = await nursery.start_actor("victim")
            await portal.run(act.kill_oneself, signal.SIGKILL)
    assert isinstance(only(caught.value), ActorDied)


@trio.testing.trio_test
async def test_a_portal_ends_its_actor_and_tells_how_it_ended():
    async with open_nursery(cancel_grace_s=act.PATIENCE_S) as nursery:
        portal = await nursery.start_actor("worker")
        await portal.cancel()
        assert not act.is_there(portal.actor.pid)
        assert await portal.wait() == 0
        assert nursery.actors == []
        with pytest.raises(ActorDied):
            await portal.run(act.pid)


@trio.testing.trio_test
async def test_who_waits_for_an_actor_gets_its_status_instead_of_an_error():
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("worker")
        statuses = []
        async with trio.open_nursery() as tasks:

            async def wait() -> None:
                statuses.append(await portal.wait())

            tasks.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            act.os.kill(portal.actor.pid, signal.SIGKILL)
    assert statuses == [-signal.SIGKILL]


@trio.testing.trio_test
async def test_a_nursery_can_end_its_actors_and_go_on():
    async with open_nursery() as nursery:
        old = [await nursery.start_actor(f"old{number}") for number in range(3)]
        await nursery.cancel()
        assert not any(act.is_there(portal.actor.pid) for portal in old)
        portal = await nursery.start_actor("new")
        assert await portal.run(act.add, 1, 2) == 3


@trio.testing.trio_test
async def test_a_cancelled_nursery_lets_its_actors_clean_up(tmp_path: Path):
    with trio.move_on_after(30) as scope:
        async with open_nursery(cancel_grace_s=act.PATIENCE_S) as nursery:
            portal = await nursery.start_actor("worker")
            async with trio.open_nursery() as tasks:
                tasks.start_soon(portal.run, act.write_when_cancelled, str(tmp_path / "end"), 0.2)
                await portal.run(act.pid)
                scope.cancel()
    assert scope.cancelled_caught
    assert (tmp_path / "end").read_text() == "cancelled"
    assert not act.is_there(portal.actor.pid)


@pytest.mark.parametrize("stuck", [act.be_stuck, act.be_stuck_in_c])
@trio.testing.trio_test
async def test_an_actor_that_is_stuck_is_killed_after_the_grace(stuck: object):
    with trio.move_on_after(30) as scope:
        async with open_nursery(cancel_grace_s=0.1) as nursery:
            portal = await nursery.start_actor("stuck")
            other = await nursery.start_actor("other")
            async with trio.open_nursery() as tasks:
                tasks.start_soon(portal.run, stuck)
                await other.run(act.pid)
                await trio.sleep(0.05)
                scope.cancel()
                began_s = time.monotonic()
    assert time.monotonic() - began_s < 25
    assert not act.is_there(portal.actor.pid)


@trio.testing.trio_test
async def test_an_actor_that_answers_but_never_ends_is_killed(tmp_path: Path):
    async with open_nursery(cancel_grace_s=0.1) as nursery:
        portal = await nursery.start_actor("slow")
        async with trio.open_nursery() as tasks:
            tasks.start_soon(
                partial(portal.run, act.write_when_cancelled, str(tmp_path / "end"), delay_s=1000)
            )
            await portal.run(act.pid)
            tasks.cancel_scope.cancel()
    assert await portal.wait() == -signal.SIGKILL


@trio.testing.trio_test
async def test_an_actor_that_is_started_by_a_cancelled_task_is_not_left(tmp_path: Path):
    async with open_nursery() as nursery:
        with trio.CancelScope() as scope:
            scope.cancel()
            await nursery.start_actor("nobody's")
        pids = [await nursery.run(act.pid)]
        for delay_s in (0.0, 0.001, 0.003, 0.006, 0.01):
            with trio.move_on_after(delay_s):
                portal = await nursery.start_actor("somebody's")
                pids.append(portal.actor.pid)
        spawner = act.parent_of(await (await nursery.start_actor("a")).run(act.pid))
    assert act.children_of(spawner) == []
    assert not any(map(act.is_there, pids))


@trio.testing.trio_test
async def test_an_error_three_levels_down_arrives_with_the_way_it_came(tmp_path: Path):
    with pytest.raises(ExceptionGroup) as caught:
        async with open_nursery() as nursery:
            await nursery.run(act.grow, 2, 1, str(tmp_path), "fail")
    _rest = caught.value
    while isinstance(_rest, BaseExceptionGroup):
        _rest = only(_rest)
    assert isinstance(_rest, ValueError)
    assert str(_rest) == "a leaf fell"
    notes = "\n".join(_rest.__notes__)
    assert "grow" in notes
    assert "grow.0.0" in notes


@trio.testing.trio_test
async def test_a_nested_tree_is_gone_when_its_nursery_is(tmp_path: Path):
    with trio.move_on_after(60) as scope:
        async with open_nursery() as nursery:
            async with trio.open_nursery() as tasks:
                tasks.start_soon(nursery.run, act.grow, 2, 2, str(tmp_path))
                pids = await act.grown(tmp_path, 1 + 2 + 4)
                scope.cancel()
    assert not any(map(act.is_there, pids))


@trio.testing.trio_test
async def test_a_stuck_middle_that_is_killed_takes_its_children_with_it(tmp_path: Path):
    async with open_nursery(cancel_grace_s=0.1) as nursery:
        portal = await nursery.start_actor("middle")
        async with trio.open_nursery() as tasks:
            tasks.start_soon(portal.run, act.grow, 1, 2, str(tmp_path))
            pids = await act.grown(tmp_path, 3)
            tasks.start_soon(portal.run, act.be_stuck)
            await trio.sleep(0.05)
            tasks.cancel_scope.cancel()
    assert not any(map(act.is_there, pids))


@trio.testing.trio_test
async def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="start_method"):
        async with open_nursery(start_method="lukewarm"):
            pass
    with pytest.raises(ValueError, match="level"):
        async with open_nursery(loglevel="LOUD"):
            pass
    async with open_nursery() as nursery:
        with pytest.raises(ValueError, match="preload"):
            await nursery.start_actor("a", preload="json")
        with pytest.raises(FileNotFoundError):
            await nursery.start_actor("a", cwd="/no/such/directory")
        assert nursery.actors == []


@trio.testing.trio_test
async def test_a_nursery_that_is_left_starts_nothing_more():
    async with open_nursery() as nursery:
        pass
    with pytest.raises(ActorError, match="late can't be started: its nursery is done"):
        await nursery.start_actor("late")
    assert nursery.actors == []
    assert runtime.needed().control.child_count == 0


@trio.testing.trio_test
async def test_an_actor_that_is_not_wanted_any_more_when_it_comes_is_ended_without_a_word(
    caplog: pytest.LogCaptureFixture,
):
    async with open_nursery() as nursery:
        with trio.CancelScope() as scope:
            scope.cancel()
            await nursery.start_actor("unwanted")
    assert scope.cancelled_caught
    assert [record.getMessage() for record in caplog.records] == []
