from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, trio_test, wait_all_tasks_blocked

from treetap.actor.gathering import gather_contexts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Log(list[str]):
    """What happened to the contexts of a test, in order."""

    @asynccontextmanager
    async def context(
        self, name: str, *, enter_s: float = 0, fails: str = "", swallows: bool = False
    ) -> AsyncIterator[str]:
        await trio.sleep(enter_s)
        if fails == "enter":
            raise ValueError(name)
        self.append(f"+{name}")
        try:
            yield name
        except BaseException as error:
            self.append(f"{name}:{type(error).__name__}")
            if not swallows:
                raise
        finally:
            self.append(f"-{name}")
            if fails == "exit":
                raise OSError(name)


@trio_test
async def test_values_come_in_the_order_given_whichever_is_entered_first(
    autojump_clock: MockClock,
):
    log = Log()
    contexts = [log.context("slow", enter_s=2), log.context("fast", enter_s=1)]
    async with gather_contexts(contexts) as values:
        assert values == ("slow", "fast")
        assert log == ["+fast", "+slow"]
    assert sorted(log[2:]) == ["-fast", "-slow"]


@trio_test
async def test_contexts_are_entered_side_by_side(autojump_clock: MockClock):
    log = Log()
    began = trio.current_time()
    async with gather_contexts(log.context(str(n), enter_s=10) for n in range(20)) as values:
        assert trio.current_time() - began == 10
        assert values == tuple(map(str, range(20)))


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


@trio_test
async def test_nothing_to_gather_is_no_error():
    async with gather_contexts([]) as values:
        assert values == ()


@trio_test
async def test_an_error_in_one_entry_cancels_the_others_and_leaves_those_entered(
    autojump_clock: MockClock,
):
    log = Log()
    contexts = [
        log.context("ready"),
        log.context("never", enter_s=1000),
        log.context("bad", enter_s=0.01, fails="enter"),
    ]
    with pytest.raises(ValueError, match="bad"):
        async with gather_contexts(contexts):
            pytest.fail("entered")
    assert log == ["+ready", "ready:Cancelled", "-ready"]


@trio_test
async def test_an_error_of_the_block_reaches_each_context_and_comes_out_as_it_is():
    log = Log()
    with pytest.raises(KeyError) as caught:
        async with gather_contexts([log.context("a"), log.context("b")]):
            raise KeyError("mine")
    assert sorted(log) == ["+a", "+b", "-a", "-b", "a:KeyError", "b:KeyError"]
    assert caught.value.__context__ is None


@trio_test
async def test_a_context_that_swallows_the_error_of_the_block_does_so_for_itself_only():
    log = Log()
    with pytest.raises(KeyError):
        async with gather_contexts([log.context("a", swallows=True), log.context("b")]):
            raise KeyError("mine")
    assert "b:KeyError" in log


@trio_test
async def test_an_error_while_leaving_comes_out_and_the_others_are_left():
    log = Log()
    with pytest.raises(OSError, match="a"):
        async with gather_contexts([log.context("a", fails="exit"), log.context("b")]):
            pass
    assert sorted(log) == ["+a", "+b", "-a", "-b"]


@trio_test
async def test_several_errors_come_out_together():
    log = Log()
    contexts = [log.context("a", fails="exit"), log.context("b", fails="exit")]
    with pytest.raises(ExceptionGroup) as caught:
        async with gather_contexts(contexts):
            raise KeyError("mine")
    kinds = sorted(type(error).__name__ for error in caught.value.exceptions)
    assert kinds == ["KeyError", "OSError", "OSError"]


@asynccontextmanager
async def nursery_that_fails(when: trio.Event) -> AsyncIterator[None]:
    async def fail() -> None:
        await when.wait()
        raise ZeroDivisionError

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail)
        yield


@trio_test
async def test_a_context_that_fails_while_the_block_runs_cancels_the_block():
    log, when = Log(), trio.Event()
    with pytest.raises(ExceptionGroup) as caught:
        async with gather_contexts([nursery_that_fails(when), log.context("b")]):
            when.set()
            await trio.sleep_forever()
    assert caught.group_contains(ZeroDivisionError)
    assert log == ["+b", "b:Cancelled", "-b"]


@trio_test
async def test_a_block_error_passes_through_the_nursery_of_a_context_without_being_doubled():
    with pytest.raises(KeyError):
        async with gather_contexts([nursery_that_fails(trio.Event()) for _ in range(3)]):
            raise KeyError("mine")


@trio_test
async def test_a_cancelled_block_leaves_all_contexts(autojump_clock: MockClock):
    log = Log()
    with trio.move_on_after(0.01) as scope:
        async with gather_contexts([log.context("a"), log.context("b")]):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert sorted(log) == ["+a", "+b", "-a", "-b", "a:Cancelled", "b:Cancelled"]


@trio_test
async def test_a_cancellation_while_entering_leaves_what_is_entered(autojump_clock: MockClock):
    log = Log()
    with trio.move_on_after(0.01) as scope:
        async with gather_contexts([log.context("a"), log.context("never", enter_s=1000)]):
            pytest.fail("entered")
    assert scope.cancelled_caught
    assert log == ["+a", "a:Cancelled", "-a"]


@trio_test
async def test_what_fails_while_it_is_cancelled_is_told(autojump_clock: MockClock):
    log = Log()
    with pytest.raises(OSError, match="a"), trio.move_on_after(0.01):
        async with gather_contexts([log.context("a", fails="exit"), log.context("b")]):
            await trio.sleep_forever()


@trio_test
async def test_a_context_that_ends_itself_ends_the_block(autojump_clock: MockClock):
    @asynccontextmanager
    async def limited() -> AsyncIterator[None]:
        with trio.move_on_after(0.01):
            yield

    log = Log()
    async with gather_contexts([limited(), log.context("b")]):
        await trio.sleep_forever()
    assert log == ["+b", "b:Cancelled", "-b"]


@trio_test
async def test_each_context_is_left_by_the_task_that_entered_it():
    tasks: list[trio.lowlevel.Task] = []

    @asynccontextmanager
    async def noting() -> AsyncIterator[None]:
        tasks.append(trio.lowlevel.current_task())
        async with trio.open_nursery():
            yield
        tasks.append(trio.lowlevel.current_task())

    async with gather_contexts([noting()]):
        await wait_all_tasks_blocked()
    assert len(set(tasks)) == 1
