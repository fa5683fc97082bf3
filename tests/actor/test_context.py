from __future__ import annotations

import socket
from typing import Any

import pytest
import trio
from trio.testing import trio_test, wait_all_tasks_blocked

from tests.actor.pair import open_pair, open_portal
from treetap.actor.context import Context
from treetap.errors import ActorDied, ActorError, PayloadError, RemoteCancelled

#: What the functions did; the other end is in this process too.
done: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_done():
    done.clear()


async def simple(ctx: Context[None, None, str], number: int, *, name: str = "") -> int:
    await ctx.started(f"started {number}{name}")
    return number


async def stay(ctx: Context[int, int, None]) -> None:
    await ctx.started(None)
    try:
        await trio.sleep_forever()
    finally:
        done.append("ended")


async def stay_in_a_stream(ctx: Context[int, int, None]) -> None:
    await ctx.started(None)
    try:
        async with ctx.open_stream() as stream:
            await stream.receive()
    finally:
        done.append("ended")


async def fail_when_told(ctx: Context[None, int, None]) -> None:
    await ctx.started(None)
    async with ctx.open_stream() as stream:
        raise LookupError(await stream.receive())


async def fail_early(ctx: Context[None, None, None]) -> None:
    raise LookupError("early")


async def fail_late(ctx: Context[None, None, None]) -> None:
    await ctx.started(None)
    raise LookupError("late")


async def fail_when_cancelled(ctx: Context[None, None, None]) -> None:
    await ctx.started(None)
    try:
        await trio.sleep_forever()
    finally:
        raise LookupError("over there")


async def no_start(ctx: Context[None, None, None]) -> int:
    return 1


async def never_start(ctx: Context[None, None, None]) -> None:
    try:
        await trio.sleep_forever()
    finally:
        done.append("ended")


async def start_twice(ctx: Context[None, None, int]) -> None:
    await ctx.started(1)
    await ctx.started(2)


async def start_wrongly(ctx: Context[None, None, int]) -> None:
    await ctx.started("x")  # type: ignore[arg-type]


async def cancel_itself(ctx: Context[None, None, None]) -> None:
    await ctx.started(None)
    await ctx.cancel()
    await trio.sleep_forever()


async def ask_for_a_result(ctx: Context[None, None, None]) -> None:
    await ctx.started(None)
    await ctx.result()


@trio_test
async def test_a_context_starts_with_a_value_and_ends_with_a_result():
    async with open_portal() as portal:
        async with portal.open_context(simple, 5, name="!") as (ctx, first):
            assert first == "started 5!"
            assert ctx.actor.name == "far"
        assert await ctx.result() == 5


@trio_test
async def test_the_result_can_be_asked_for_in_the_block_and_again():
    async with open_portal() as portal, portal.open_context(simple, 5) as (ctx, _):
        assert await ctx.result() == 5
        assert await ctx.result() == 5


@trio_test
async def test_an_error_over_there_cancels_the_block_here():
    async with open_portal() as portal:
        with pytest.raises(LookupError, match="7") as caught:
            async with portal.open_context(fail_when_told) as (ctx, _):
                async with ctx.open_stream() as stream:
                    await stream.send(7)
                    try:
                        await trio.sleep_forever()
                    finally:
                        done.append("cancelled here")
        assert done == ["cancelled here"]
        assert "in actor far" in caught.value.__notes__[0]
        assert len(caught.value.__notes__) == 1


@pytest.mark.parametrize("wait", ["result", "receive", "sleep", "leave"])
@trio_test
async def test_an_error_over_there_is_raised_wherever_the_block_waits(wait):
    async with open_portal() as portal:
        with pytest.raises(LookupError, match="late"):
            async with portal.open_context(fail_late) as (ctx, _):
                if wait == "result":
                    await ctx.result()
                elif wait == "receive":
                    async with ctx.open_stream() as stream:
                        await stream.receive()
                elif wait == "sleep":
                    await trio.sleep_forever()


@trio_test
async def test_an_error_in_a_child_task_of_the_block_keeps_its_group():
    async with open_portal() as portal:
        with pytest.raises(ExceptionGroup) as caught:
            async with portal.open_context(stay), trio.open_nursery() as nursery:
                nursery.start_soon(fail_here)
        assert [type(exc) for exc in caught.value.exceptions] == [ValueError]
        assert done == ["ended"]


async def fail_here() -> None:
    raise ValueError("here")


@pytest.mark.parametrize("function", [stay, stay_in_a_stream])
@trio_test
async def test_an_error_here_cancels_the_function_over_there_and_waits_for_its_end(function):
    async with open_portal() as portal:
        with pytest.raises(ValueError, match="here") as caught:
            async with portal.open_context(function):
                await fail_here()
        assert done == ["ended"]
        assert not hasattr(caught.value, "__notes__")


@trio_test
async def test_errors_of_both_sides_are_both_raised():
    async with open_portal() as portal:
        with pytest.raises(BaseExceptionGroup) as caught:
            async with portal.open_context(fail_when_cancelled):
                await fail_here()
        there, here = caught.value.exceptions
        assert (type(there), type(here)) == (LookupError, ValueError)


@trio_test
async def test_an_error_before_the_start_is_raised_by_entering():
    async with open_portal() as portal:
        with pytest.raises(LookupError, match="early"):
            async with portal.open_context(fail_early):
                raise AssertionError("not entered")


@trio_test
async def test_a_function_that_ends_without_starting_is_an_error_that_says_what_is_missing():
    async with open_portal() as portal:
        with pytest.raises(ActorError, match=r"no_start .* ended without started") as caught:
            async with portal.open_context(no_start):
                raise AssertionError("not entered")
        assert caught.value.slug == "actor-not-started"


@trio_test
async def test_starting_twice_or_with_a_wrong_type_is_an_error_over_there():
    async with open_portal() as portal:
        with pytest.raises(ActorError, match="called before"):
            async with portal.open_context(start_twice) as (_, first):
                assert first == 1
        with pytest.raises(PayloadError, match=r"value of started\(\) must be int"):
            async with portal.open_context(start_wrongly):
                raise AssertionError("not entered")


@trio_test
async def test_each_side_has_its_own_words():
    async with open_portal() as portal:
        async with portal.open_context(simple, 1) as (ctx, _):
            with pytest.raises(ActorError, match="for the function"):
                await ctx.started("x")
        with pytest.raises(ActorError, match="for the caller"):
            async with portal.open_context(ask_for_a_result):
                pass


@trio_test
async def test_the_stream_is_opened_once():
    async with open_portal() as portal, portal.open_context(stay) as (ctx, _):
        async with ctx.open_stream():
            with pytest.raises(ActorError, match="opened before"):
                async with ctx.open_stream():
                    pass
        with pytest.raises(ActorError, match="opened before"):
            async with ctx.open_stream():
                pass
        await ctx.cancel()


@pytest.mark.parametrize("limits", [{"max_messages": 0}, {"max_bytes": 0}])
@trio_test
async def test_a_stream_needs_room(limits):
    async with open_portal() as portal, portal.open_context(stay) as (ctx, _):
        with pytest.raises(ValueError, match="room"):
            async with ctx.open_stream(**limits):
                pass
        await ctx.cancel()


@trio_test
async def test_cancelling_the_context_ends_the_function_and_is_no_error():
    async with open_portal() as portal:
        async with portal.open_context(stay) as (ctx, _):
            await ctx.cancel()
            assert done == ["ended"]
            with pytest.raises(RemoteCancelled, match="by its caller") as caught:
                await ctx.result()
            assert "not cancelled by its caller" not in caught.value.hint
            await ctx.cancel()


@trio_test
async def test_a_function_that_cancels_itself_is_an_error_here():
    async with open_portal() as portal:
        with pytest.raises(RemoteCancelled, match="by itself"):
            async with portal.open_context(cancel_itself):
                await trio.sleep_forever()


@trio_test
async def test_a_cancelled_block_cancels_the_function_and_waits_for_its_end():
    async with open_portal() as portal:
        with trio.CancelScope() as scope:
            async with portal.open_context(stay_in_a_stream):
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert done == ["ended"]


@trio_test
async def test_a_block_that_is_cancelled_while_it_is_entered_cancels_the_function():
    async with open_portal() as portal:
        with trio.move_on_after(0.05) as scope:
            async with portal.open_context(never_start):
                raise AssertionError("not entered")
        assert scope.cancelled_caught
        assert done == ["ended"]


@trio_test
async def test_leaving_the_block_lets_a_function_that_reads_the_stream_end():
    async with open_portal() as portal:
        with pytest.raises(trio.EndOfChannel):
            async with portal.open_context(stay_in_a_stream):
                pass
        assert done == ["ended"]


@trio_test
async def test_a_block_that_is_cancelled_while_it_is_left_cancels_the_function():
    async with open_portal() as portal:
        with trio.CancelScope() as scope:
            async with portal.open_context(stay):
                scope.cancel()
        assert scope.cancelled_caught
        assert done == ["ended"]


@trio_test
async def test_what_goes_wrong_over_there_while_it_is_cancelled_is_not_lost():
    async with open_portal() as portal:
        with pytest.raises(LookupError, match="over there"):
            with trio.CancelScope() as scope:
                async with portal.open_context(fail_when_cancelled):
                    scope.cancel()
                    await trio.sleep_forever()


@trio_test
async def test_the_end_of_the_connection_is_an_error_of_the_block_and_cancels_the_function():
    async with open_pair() as (near, far):
        with pytest.raises(ActorDied, match="connection to far"):
            async with near.portal.open_context(stay):
                far._pipe._sock.shutdown(socket.SHUT_RDWR)
                await trio.sleep_forever()
        await wait_all_tasks_blocked()
        assert done == ["ended"]


@trio_test
async def test_the_end_of_the_other_actor_is_an_error_that_says_so():
    async with open_pair(far={"why_ending": lambda: "it was told to"}) as (near, far):
        with pytest.raises(RemoteCancelled, match="it was told to"):
            async with near.portal.open_context(stay):
                far.scope.cancel()
                await trio.sleep_forever()
        assert done == ["ended"]


@trio_test
async def test_contexts_nest_and_many_run_at_once():
    async with open_portal() as portal:

        async def one(number: int) -> None:
            async with portal.open_context(simple, number) as (outer, _):
                async with portal.open_context(simple, number + 1) as (inner, _):
                    assert await inner.result() - await outer.result() == 1
            done.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(one, number)
    assert sorted(done) == list(range(100))


@trio_test
async def test_nothing_is_left_of_contexts_that_ended_in_any_manner():
    async with open_pair() as (near, far):
        for function in (simple, fail_late, fail_early, no_start, cancel_itself):
            args = (1,) if function is simple else ()
            try:
                async with near.portal.open_context(function, *args):
                    pass
            except (LookupError, ActorError):
                pass
        await wait_all_tasks_blocked()
        assert not near._outgoing
        assert not far._incoming
