from __future__ import annotations

import enum
import random
import socket
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import trio_test, wait_all_tasks_blocked

from tests.actor.pair import open_pair, open_portal
from tests.process.programs import until
from treetap.actor.context import Context
from treetap.actor.frame import LARGE_BYTES
from treetap.errors import ActorDied, PayloadError

#: What the functions did; the other end is in this process too.
done: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_done():
    done.clear()


async def echo(ctx: Context[int, int, None]) -> str:
    await ctx.started(None)
    async with ctx.open_stream() as stream:
        async for value in stream:
            await stream.send(value)
    return "all echoed"


async def count_up(ctx: Context[int, None, None], limit: int) -> None:
    await ctx.started(None)
    async with ctx.open_stream() as stream:
        for number in range(limit):
            await stream.send(number)
            done.append(number)


async def collect(ctx: Context[None, Any, None]) -> int:
    await ctx.started(None)
    async with ctx.open_stream() as stream:
        async for value in stream:
            done.append(value)
    return len(done)


async def never_read(ctx: Context[None, Any, None]) -> None:
    await ctx.started(None)
    async with ctx.open_stream(max_messages=10, max_bytes=100_000):
        await trio.sleep_forever()


async def read_when_told(ctx: Context[None, Any, None]) -> None:
    await ctx.started(None)
    async with ctx.open_stream(max_messages=4, max_bytes=100_000) as stream:
        while not done:
            await trio.sleep(0)
        async for value in stream:
            done.append(value)


async def never_open(ctx: Context[Any, Any, None]) -> None:
    await ctx.started(None)
    await trio.sleep_forever()


async def close_at_once(ctx: Context[int, int, None]) -> None:
    await ctx.started(None)
    async with ctx.open_stream() as stream:
        await stream.send(1)
        await stream.send(2)


async def close_and_stay(ctx: Context[int, int, None]) -> None:
    await close_at_once(ctx)
    await trio.sleep_forever()


async def send_all_then_read(ctx: Context[int, int, None]) -> int:
    await ctx.started(None)
    async with ctx.open_stream() as stream:
        for number in range(3):
            await stream.send(number)
        await stream.send_eof()
        return sum([value async for value in stream])


async def survive_a_closed_stream(ctx: Context[int, None, None]) -> str:
    await ctx.started(None)
    async with ctx.open_stream() as stream:
        try:
            while True:
                await stream.send(1)
        except trio.BrokenResourceError as exc:
            return str(exc)


async def bytes_back(ctx: Context[bytes, bytes, None]) -> None:
    await ctx.started(None)
    async with ctx.open_stream() as stream:
        async for value in stream:
            await stream.send(value)


async def anything_back(ctx) -> None:
    await ctx.started(None)
    async with ctx.open_stream() as stream:
        async for value in stream:
            await stream.send(value)


async def send_texts(ctx: Context[str, int, None]) -> None:
    await ctx.started(None)
    async with ctx.open_stream() as stream:
        await stream.send(5)  # type: ignore[arg-type]


@trio_test
async def test_values_go_both_ways_in_order():
    async with open_portal() as portal, portal.open_context(echo) as (ctx, _):
        async with ctx.open_stream() as stream:
            for number in range(5):
                await stream.send(number)
            assert [await stream.receive() for _ in range(5)] == [0, 1, 2, 3, 4]
        assert await ctx.result() == "all echoed"


@trio_test
async def test_iterating_ends_when_the_other_side_closes_or_ends():
    async with open_portal() as portal, portal.open_context(count_up, 3000) as (ctx, _):
        async with ctx.open_stream() as stream:
            assert [value async for value in stream] == list(range(3000))
            with pytest.raises(trio.EndOfChannel):
                await stream.receive()
            with pytest.raises(StopAsyncIteration):
                await anext(stream)


@trio_test
async def test_half_closing_leaves_the_other_direction_open():
    async with open_portal() as portal, portal.open_context(send_all_then_read) as (ctx, _):
        async with ctx.open_stream() as stream:
            assert [value async for value in stream] == [0, 1, 2]
            await stream.send(10)
            await stream.send(20)
            await stream.send_eof()
            with pytest.raises(trio.ClosedResourceError):
                await stream.send(30)
            assert await ctx.result() == 30


@trio_test
async def test_a_closed_stream_neither_sends_nor_receives():
    async with open_portal() as portal, portal.open_context(echo) as (ctx, _):
        async with ctx.open_stream() as stream:
            await stream.send(1)
        with pytest.raises(trio.ClosedResourceError):
            await stream.send(1)
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive()
        await stream.aclose()


@trio_test
async def test_closing_wakes_those_who_wait():
    async def expect_closed(operation, *args) -> None:
        with pytest.raises(trio.ClosedResourceError):
            while True:
                await operation(*args)

    async with open_portal() as portal, portal.open_context(never_read) as (ctx, _):
        async with ctx.open_stream() as stream, trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(expect_closed, stream.send, 1)
                nursery.start_soon(expect_closed, stream.receive)
            await wait_all_tasks_blocked()
            await stream.aclose()
        await ctx.cancel()


@trio_test
async def test_what_was_sent_before_a_close_is_received():
    async with open_portal() as portal, portal.open_context(close_and_stay) as (ctx, _):
        async with ctx.open_stream() as stream:
            assert [value async for value in stream] == [1, 2]
            with pytest.raises(trio.BrokenResourceError):
                await stream.send(1)
        await ctx.cancel()


@trio_test
async def test_a_sender_whose_reader_has_ended_is_told():
    async with open_portal() as portal, portal.open_context(close_at_once) as (ctx, _):
        async with ctx.open_stream() as stream:
            await ctx.result()
            assert await stream.receive() == 1
            with pytest.raises(trio.BrokenResourceError):
                await stream.send(1)


@trio_test
async def test_leaving_the_stream_ends_a_function_that_goes_on_sending_without_an_error():
    async with open_portal() as portal:
        async with portal.open_context(count_up, 10**9) as (ctx, _):
            async with ctx.open_stream() as stream:
                assert await stream.receive() == 0
        async with portal.open_context(survive_a_closed_stream) as (ctx, _):
            async with ctx.open_stream() as stream:
                assert await stream.receive() == 1
        assert await ctx.result() == "the other side has closed the stream"


async def sent_into(stream: Any, message: object, expected: int) -> int:
    """How many messages can be sent until the sender is held up; waits for no fewer than ``expected``."""
    sent = 0

    async def send() -> None:
        nonlocal sent
        while True:
            await stream.send(message)
            sent += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await until(lambda: sent >= expected)
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    return sent


@trio_test
async def test_a_slow_reader_holds_up_the_sender_by_count():
    async with open_portal() as portal, portal.open_context(never_read) as (ctx, _):
        async with ctx.open_stream() as stream:
            assert await sent_into(stream, 1, 10) == 10
        await ctx.cancel()


@trio_test
async def test_a_slow_reader_holds_up_the_sender_by_size():
    async with open_portal() as portal, portal.open_context(never_read) as (ctx, _):
        async with ctx.open_stream() as stream:
            assert await sent_into(stream, "x" * 40_000, 3) == 3  # the third goes over what is left
        await ctx.cancel()


@trio_test
async def test_a_message_larger_than_the_window_crosses():
    async with open_portal() as portal, portal.open_context(bytes_back) as (ctx, _):
        async with ctx.open_stream(max_messages=1, max_bytes=1) as stream:
            for size in (10_000_000, 0, 5, LARGE_BYTES - 1, LARGE_BYTES, 3_000_000):
                await stream.send(bytes(size))
                assert await stream.receive() == bytes(size)


@trio_test
async def test_nothing_is_sent_to_a_side_that_has_not_opened_its_stream():
    async with open_portal() as portal, portal.open_context(never_open) as (ctx, _):
        async with ctx.open_stream() as stream:
            with trio.move_on_after(0.05) as scope:
                await stream.send(1)
            assert scope.cancelled_caught
        await ctx.cancel()


@trio_test
async def test_a_send_that_is_cancelled_was_not_sent_and_all_others_were():
    acknowledged = []
    async with open_portal() as portal, portal.open_context(read_when_told) as (ctx, _):
        async with ctx.open_stream() as stream:
            # Blocked for want of credit, and then not: cancelled in all stages.
            for number in range(200):
                if number == 20:
                    done.append("go")
                with trio.move_on_after(0.001 * random.random()):
                    await stream.send(number)
                    acknowledged.append(number)
            await stream.send(1000)
            acknowledged.append(1000)
        await ctx.result()
    assert len(acknowledged) > 10
    assert done[1:] == acknowledged


@trio_test
async def test_a_receive_that_is_cancelled_has_taken_nothing():
    received = []
    async with open_portal() as portal, portal.open_context(count_up, 500) as (ctx, _):
        async with ctx.open_stream(max_messages=3) as stream:
            while len(received) < 500:
                with trio.move_on_after(0.0005 * random.random()):
                    while True:
                        received.append(await stream.receive())
                        if len(received) == 500:
                            break
    assert received == list(range(500))


@trio_test
async def test_several_tasks_may_send_and_receive_and_each_value_is_had_once():
    received: list[int] = []

    async def receive_all(stream) -> None:
        async for value in stream:
            received.append(value)
            await trio.sleep(0)

    async def send_some(stream, start: int) -> None:
        for number in range(start, start + 100):
            await stream.send(number)

    async with open_portal() as portal, portal.open_context(echo) as (ctx, _):
        async with ctx.open_stream(max_messages=7) as stream:
            async with trio.open_nursery() as readers:
                for _ in range(5):
                    readers.start_soon(receive_all, stream)
                async with trio.open_nursery() as writers:
                    for start in range(0, 500, 100):
                        writers.start_soon(send_some, stream, start)
                await stream.send_eof()
    assert sorted(received) == list(range(500))


@trio_test
async def test_a_cancelled_reader_does_not_swallow_the_wake_up_of_another():
    async with open_portal() as portal, portal.open_context(echo) as (ctx, _):
        async with ctx.open_stream() as stream, trio.open_nursery() as nursery:
            received: list[int] = []

            async def receive(scope: trio.CancelScope) -> None:
                with scope:
                    received.append(await stream.receive())

            for _ in range(50):
                scopes = [trio.CancelScope(), trio.CancelScope()]
                for scope in scopes:
                    nursery.start_soon(receive, scope)
                await wait_all_tasks_blocked()
                before = len(received)
                await stream.send(1)
                scopes[0].cancel()
                with trio.fail_after(10):
                    while len(received) == before:
                        await trio.sleep(0)
                scopes[1].cancel()
                await wait_all_tasks_blocked()


@trio_test
async def test_wrong_types_on_a_stream_are_errors_of_the_sender():
    async with open_portal() as portal:
        async with portal.open_context(collect) as (ctx, _), ctx.open_stream() as stream:
            with pytest.raises(PayloadError, match="value that it receives can't cross"):
                await stream.send(object())
            await stream.send({"a": (1, 2)})
        assert done == [{"a": [1, 2]}]
        async with portal.open_context(echo) as (ctx, _), ctx.open_stream() as stream:
            with pytest.raises(PayloadError, match="must be int, and is str"):
                await stream.send("x")  # type: ignore[arg-type]
            with pytest.raises(PayloadError, match="must be int, and is bytes"):
                await stream.send(bytes(LARGE_BYTES))  # type: ignore[arg-type]
            await stream.send(3)
            assert await stream.receive() == 3
        with pytest.raises(PayloadError, match="value that it sends must be str, and is int"):
            async with portal.open_context(send_texts) as (ctx, _), ctx.open_stream() as stream:
                await stream.receive()


class Size(enum.Enum):
    """Of bytes, that nobody has to print."""

    SMALL = LARGE_BYTES - 1
    LARGE = LARGE_BYTES
    HUGE = 300_000


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(-(2**63), 2**64 - 1),
            st.text(max_size=30),
            st.binary(max_size=30),
            st.sampled_from(list(Size)),
            st.lists(st.none(), max_size=3),
        ),
        max_size=20,
    ),
    st.integers(1, 5),
)
def test_whatever_is_sent_comes_back(drawn, window):
    values = [bytes(value.value) if isinstance(value, Size) else value for value in drawn]

    async def main() -> list[Any]:
        async with open_portal() as portal, portal.open_context(anything_back) as (ctx, _):
            async with ctx.open_stream(max_messages=window, max_bytes=1000) as stream:
                async with trio.open_nursery() as nursery:

                    async def send_all() -> None:
                        for value in values:
                            await stream.send(value)
                        await stream.send_eof()

                    nursery.start_soon(send_all)
                    return [value async for value in stream]

    assert trio.run(main) == values


@trio_test
async def test_the_end_of_the_connection_wakes_all_who_use_the_stream():
    async with open_pair() as (near, far):
        with pytest.raises(ActorDied):
            async with near.portal.open_context(never_read) as (ctx, _):
                async with ctx.open_stream() as stream, trio.open_nursery() as nursery:

                    async def send_on() -> None:
                        while True:
                            await stream.send(1)

                    nursery.start_soon(stream.receive)
                    nursery.start_soon(send_on)
                    await wait_all_tasks_blocked()
                    far._pipe._sock.shutdown(socket.SHUT_RDWR)


@trio_test
async def test_a_task_outside_the_block_that_uses_the_stream_gets_the_error_itself():
    async with open_pair() as (near, far), trio.open_nursery() as nursery:

        async def outside(stream) -> None:
            with pytest.raises(ActorDied):
                await stream.receive()
            done.append("told")

        with pytest.raises(ActorDied):
            async with near.portal.open_context(never_open) as (ctx, _):
                async with ctx.open_stream() as stream:
                    nursery.start_soon(outside, stream)
                    await wait_all_tasks_blocked()
                    far._pipe._sock.shutdown(socket.SHUT_RDWR)
                    await trio.sleep_forever()
    assert done == ["told"]
