from __future__ import annotations

import pickle
from typing import Any

import pytest
import trio
from trio.testing import trio_test, wait_all_tasks_blocked

from treetap.actor.broadcast import Subscription, open_broadcast
from treetap.errors import Lagged


async def all_of(values: Subscription[int]) -> list[int]:
    return [value async for value in values]


@trio_test
async def test_each_subscriber_sees_all_values_from_its_subscription_on():
    send, receive = trio.open_memory_channel[int](0)
    async with open_broadcast(receive) as broadcast:
        first = broadcast.subscribe()
        await send.send(1)
        await wait_all_tasks_blocked()
        second = broadcast.subscribe()
        await send.send(2)
        await send.aclose()
        assert await all_of(first) == [1, 2]
        assert await all_of(second) == [2]


@trio_test
async def test_a_subscriber_that_is_too_slow_is_told_once_how_many_it_missed_and_goes_on():
    send, receive = trio.open_memory_channel[int](0)
    async with open_broadcast(receive, max_buffer=3) as broadcast:
        slow = broadcast.subscribe()
        for number in range(10):
            await send.send(number)
        await wait_all_tasks_blocked()
        assert slow.behind == 10
        with pytest.raises(Lagged) as caught:
            await slow.receive()
        assert caught.value.count == 7
        assert [await slow.receive() for _ in range(3)] == [7, 8, 9]
        await send.send(10)
        assert await slow.receive() == 10


@trio_test
async def test_being_exactly_max_buffer_behind_is_no_lag():
    send, receive = trio.open_memory_channel[int](0)
    async with open_broadcast(receive, max_buffer=3) as broadcast:
        values = broadcast.subscribe()
        for number in range(3):
            await send.send(number)
        await send.aclose()
        assert await all_of(values) == [0, 1, 2]


@trio_test
async def test_what_a_slow_subscriber_missed_is_told_after_the_end_too():
    send, receive = trio.open_memory_channel[int](0)
    async with open_broadcast(receive, max_buffer=2) as broadcast:
        slow = broadcast.subscribe()
        for number in range(5):
            await send.send(number)
        await send.aclose()
        await wait_all_tasks_blocked()
        with pytest.raises(Lagged):
            await slow.receive()
        assert await all_of(slow) == [3, 4]


@trio_test
async def test_a_subscriber_that_never_reads_blocks_neither_the_source_nor_the_others():
    send, receive = trio.open_memory_channel[int](0)
    got: list[int] = []
    async with open_broadcast(receive, max_buffer=4) as broadcast, trio.open_nursery() as nursery:
        stuck = broadcast.subscribe()

        async def keep_up(values: Subscription[int]) -> None:
            got.extend(await all_of(values))

        nursery.start_soon(keep_up, broadcast.subscribe())
        with trio.fail_after(10):
            for number in range(1000):
                await send.send(number)
        await send.aclose()
    assert got == list(range(1000))
    assert stuck.behind == 1000


@trio_test
async def test_a_source_with_much_to_give_at_once_does_not_run_away_from_an_eager_subscriber():
    class Ready:
        """Always has a value, and never lets others run by itself."""

        def __init__(self) -> None:
            self.given = 0

        async def receive(self) -> int:
            await trio.lowlevel.checkpoint_if_cancelled()
            if self.given == 20_000:
                raise trio.EndOfChannel
            self.given += 1
            return self.given

    async with open_broadcast(Ready(), max_buffer=8) as broadcast:
        eager = [broadcast.subscribe() for _ in range(3)]
        counts: list[int] = []

        async def count(values: Subscription[int]) -> None:
            counts.append(len(await all_of(values)))

        async with trio.open_nursery() as nursery:
            for values in eager:
                nursery.start_soon(count, values)
    assert counts == [20_000] * 3


@trio_test
async def test_closing_one_subscription_does_not_close_the_others():
    send, receive = trio.open_memory_channel[int](0)
    async with open_broadcast(receive) as broadcast:
        first, second = broadcast.subscribe(), broadcast.subscribe()
        async with first:
            assert broadcast.subscribers == 2
        assert broadcast.subscribers == 1
        with pytest.raises(trio.ClosedResourceError):
            await first.receive()
        await send.send(1)
        assert await second.receive() == 1


@trio_test
async def test_closing_a_subscription_wakes_the_task_that_waits_in_it():
    _send, receive = trio.open_memory_channel[int](0)
    async with open_broadcast(receive) as broadcast, trio.open_nursery() as nursery:
        values = broadcast.subscribe()

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await values.receive()

        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        values.close()
        values.close()


@trio_test
async def test_a_cancelled_subscriber_loses_nothing():
    send, receive = trio.open_memory_channel[int](0)
    async with open_broadcast(receive) as broadcast:
        values = broadcast.subscribe()
        with trio.move_on_after(0.001) as scope:
            await values.receive()
        assert scope.cancelled_caught
        await send.send(1)
        with trio.CancelScope() as scope:
            scope.cancel()
            await values.receive()
        assert scope.cancelled_caught
        assert await values.receive() == 1


class Broken:
    """A source that fails after its first value."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.given = False

    async def receive(self) -> int:
        await trio.lowlevel.checkpoint()
        if self.given:
            raise self.error
        self.given = True
        return 1


@trio_test
async def test_an_error_of_the_source_reaches_every_subscriber_after_the_values_before_it():
    async with open_broadcast(Broken(OSError("torn"))) as broadcast:
        for values in [broadcast.subscribe(), broadcast.subscribe()]:
            assert await values.receive() == 1
            with pytest.raises(OSError, match="torn"):
                await values.receive()


@trio_test
async def test_an_error_of_the_source_that_no_subscriber_met_is_raised_at_the_end():
    with pytest.raises(OSError, match="torn"):
        async with open_broadcast(Broken(OSError("torn"))):
            await wait_all_tasks_blocked()


@trio_test
async def test_an_error_of_the_block_comes_out_as_it_is():
    _send, receive = trio.open_memory_channel[int](0)
    with pytest.raises(KeyError) as caught:
        async with open_broadcast(receive):
            raise KeyError("mine")
    assert caught.value.__context__ is None


@trio_test
async def test_the_end_of_the_block_closes_the_subscriptions_and_leaves_the_source_open():
    send, receive = trio.open_memory_channel[int](1)
    async with open_broadcast(receive) as broadcast:
        values = broadcast.subscribe()
    with pytest.raises(trio.ClosedResourceError):
        await values.receive()
    await send.send(1)
    assert await receive.receive() == 1


@trio_test
async def test_a_buffer_of_nothing_is_refused():
    _send, receive = trio.open_memory_channel[int](0)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        async with open_broadcast(receive, max_buffer=0):
            pass


def test_lagged_says_how_many_and_survives_pickling():
    error: Any = pickle.loads(pickle.dumps(Lagged.by(3)))
    assert error.count == 3
    assert "missed 3 values" in str(error)
    assert "missed 1 value:" in str(Lagged.by(1))
