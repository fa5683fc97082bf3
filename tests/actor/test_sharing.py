from __future__ import annotations

import threading
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import trio_test, wait_all_tasks_blocked

from treetap.actor.sharing import maybe_open_context
from treetap.errors import ActorError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

flavour: ContextVar[str] = ContextVar("flavour", default="none")


class Resource:
    """A context manager that counts, and can be made to wait and to fail."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0
        self.may_open = trio.Event()
        self.may_close = trio.Event()
        self.may_open.set()
        self.may_close.set()
        self.failure: Exception | None = None
        self.close_failure: Exception | None = None
        self.dies = trio.Event()
        self.arguments: list[dict[str, Any]] = []

    @asynccontextmanager
    async def open(self, **kwargs: Any) -> AsyncIterator[int]:
        self.arguments.append(kwargs)
        await self.may_open.wait()
        if self.failure is not None:
            raise self.failure
        self.opened += 1
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._die)
                yield self.opened
                nursery.cancel_scope.cancel()
            await self.may_close.wait()
        finally:
            self.closed += 1
        if self.close_failure is not None:
            raise self.close_failure

    async def _die(self) -> None:
        await self.dies.wait()
        raise ZeroDivisionError


@trio_test
async def test_the_first_user_opens_it_and_the_last_one_closes_it():
    resource = Resource()
    async with maybe_open_context(resource.open) as (is_hit, value):
        assert (is_hit, value) == (False, 1)
        async with maybe_open_context(resource.open) as (is_hit, value):
            assert (is_hit, value) == (True, 1)
        assert resource.closed == 0
    assert (resource.opened, resource.closed) == (1, 1)


@trio_test
async def test_after_it_is_closed_it_is_opened_anew():
    resource = Resource()
    for number in range(1, 4):
        async with maybe_open_context(resource.open) as (is_hit, value):
            assert (is_hit, value) == (False, number)


@trio_test
async def test_it_may_be_closed_by_another_task_than_the_one_that_opened_it():
    resource = Resource()
    first_may_go = trio.Event()

    async def first() -> None:
        async with maybe_open_context(resource.open):
            await first_may_go.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(first)
        await wait_all_tasks_blocked()
        async with maybe_open_context(resource.open) as (is_hit, _):
            assert is_hit
            first_may_go.set()
            await wait_all_tasks_blocked()
            assert resource.closed == 0
        assert resource.closed == 1


@trio_test
async def test_other_arguments_or_another_function_are_another_resource():
    one, other = Resource(), Resource()
    async with (
        maybe_open_context(one.open, {"size": 1}) as (_, first),
        maybe_open_context(one.open, {"size": 2}) as (is_hit, second),
        maybe_open_context(other.open, {"size": 1}) as (is_hit_too, third),
    ):
        assert not is_hit
        assert not is_hit_too
        assert (first, second, third) == (1, 2, 1)
    assert one.arguments == [{"size": 1}, {"size": 2}]


@trio_test
async def test_a_key_says_what_is_the_same():
    resource = Resource()
    async with (
        maybe_open_context(resource.open, {"sizes": [1]}, key="a"),
        maybe_open_context(resource.open, {"sizes": [2]}, key="a") as (is_hit, _),
        maybe_open_context(resource.open, {"sizes": [2]}, key="b") as (is_hit_too, _),
    ):
        assert is_hit
        assert not is_hit_too


@trio_test
async def test_arguments_that_cannot_be_compared_ask_for_a_key():
    with pytest.raises(ActorError, match=r"unhashable type: 'list'") as caught:
        async with maybe_open_context(Resource().open, {"sizes": [1]}):
            pass
    assert caught.value.slug == "shared-key"


@trio_test
async def test_those_who_come_while_it_opens_wait_and_share():
    resource = Resource()
    resource.may_open = trio.Event()
    seen: list[tuple[bool, int]] = []

    async def use() -> None:
        async with maybe_open_context(resource.open) as (is_hit, value):
            seen.append((is_hit, value))
            await wait_all_tasks_blocked()

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(use)
        await wait_all_tasks_blocked()
        resource.may_open.set()
    assert sorted(seen) == [(False, 1)] + [(True, 1)] * 4
    assert (resource.opened, resource.closed) == (1, 1)


@trio_test
async def test_an_opener_that_is_cancelled_while_it_opens_does_not_take_it_from_the_others():
    resource = Resource()
    resource.may_open = trio.Event()
    scope = trio.CancelScope()

    async def open_first() -> None:
        with scope:
            async with maybe_open_context(resource.open):
                pytest.fail("opened")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(open_first)
        await wait_all_tasks_blocked()

        async def join() -> None:
            async with maybe_open_context(resource.open) as (is_hit, value):
                assert (is_hit, value) == (True, 1)

        nursery.start_soon(join)
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        resource.may_open.set()
    assert (resource.opened, resource.closed) == (1, 1)


@trio_test
async def test_an_opener_that_is_cancelled_while_it_is_open_does_not_take_it_from_the_others():
    resource = Resource()
    scope = trio.CancelScope()

    async def open_first() -> None:
        with scope:
            async with maybe_open_context(resource.open):
                await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(open_first)
        await wait_all_tasks_blocked()
        async with maybe_open_context(resource.open):
            scope.cancel()
            await wait_all_tasks_blocked()
            assert resource.closed == 0
            await trio.lowlevel.checkpoint()  # we are not cancelled
    assert resource.closed == 1


@trio_test
async def test_when_all_who_wait_for_the_opening_are_cancelled_it_is_cancelled_too():
    resource = Resource()
    resource.may_open = trio.Event()
    with trio.move_on_after(0.01) as scope:
        async with maybe_open_context(resource.open):
            pytest.fail("opened")
    assert scope.cancelled_caught
    resource.may_open.set()
    async with maybe_open_context(resource.open) as (is_hit, _):
        assert not is_hit


@trio_test
async def test_a_failed_opening_is_told_to_each_who_waited_and_is_not_remembered():
    resource = Resource()
    resource.may_open = trio.Event()
    resource.failure = OSError("no such feed")
    failed: list[str] = []

    async def use() -> None:
        with pytest.raises(OSError, match="no such feed"):
            async with maybe_open_context(resource.open):
                pass
        failed.append("yes")

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(use)
        await wait_all_tasks_blocked()
        resource.may_open.set()
    assert len(failed) == 3
    resource.failure = None
    async with maybe_open_context(resource.open) as (is_hit, value):
        assert (is_hit, value) == (False, 1)


@trio_test
async def test_who_comes_while_it_closes_waits_for_that_and_opens_it_anew():
    resource = Resource()
    resource.may_close = trio.Event()
    log: list[str] = []

    async def use(name: str) -> None:
        async with maybe_open_context(resource.open) as (is_hit, _):
            assert not is_hit
            log.append(name)
            assert resource.opened == resource.closed + 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(use, "first")
        await wait_all_tasks_blocked()
        nursery.start_soon(use, "second")
        await wait_all_tasks_blocked()
        assert log == ["first"]
        resource.may_close.set()
    assert log == ["first", "second"]


@trio_test
async def test_a_resource_that_dies_cancels_its_users_and_each_gets_its_error():
    resource = Resource()
    failed: list[str] = []

    async def use() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            async with maybe_open_context(resource.open):
                await trio.sleep_forever()
        assert caught.group_contains(ZeroDivisionError)
        failed.append("yes")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(use)
        nursery.start_soon(use)
        await wait_all_tasks_blocked()
        resource.dies.set()
    assert len(failed) == 2
    resource.dies = trio.Event()
    async with maybe_open_context(resource.open) as (is_hit, _):
        assert not is_hit


@trio_test
async def test_an_error_of_the_block_comes_out_as_it_is_and_the_resource_is_closed():
    resource = Resource()
    with pytest.raises(KeyError):
        async with maybe_open_context(resource.open):
            raise KeyError("mine")
    assert resource.closed == 1


@trio_test
async def test_an_error_while_closing_reaches_the_last_user_with_the_block_s_as_its_context():
    resource = Resource()
    resource.close_failure = OSError("stuck")
    with pytest.raises(OSError, match="stuck"):
        async with maybe_open_context(resource.open):
            pass
    with pytest.raises(OSError, match="stuck") as caught:
        async with maybe_open_context(resource.open):
            raise KeyError("mine")
    assert isinstance(caught.value.__context__, KeyError)


@trio_test
async def test_the_cancelled_last_user_cancels_the_closing_and_waits_for_its_end():
    resource = Resource()
    resource.may_close = trio.Event()
    with trio.CancelScope() as scope:
        async with maybe_open_context(resource.open):
            scope.cancel()
    assert scope.cancelled_caught
    assert resource.closed == 1


@trio_test
async def test_the_resource_is_opened_in_the_context_of_its_first_user():
    @asynccontextmanager
    async def tasting() -> AsyncIterator[str]:
        yield flavour.get()

    flavour.set("maple")
    async with maybe_open_context(tasting) as (_, value):
        assert value == "maple"


def test_two_trio_runs_share_nothing():
    values: list[bool] = []

    @asynccontextmanager
    async def opened() -> AsyncIterator[None]:
        yield

    barrier = threading.Barrier(2, timeout=20)

    async def use() -> None:
        async with maybe_open_context(opened) as (is_hit, _):
            values.append(is_hit)
            await trio.to_thread.run_sync(barrier.wait)

    threads = [threading.Thread(target=trio.run, args=(use,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == [False, False]
