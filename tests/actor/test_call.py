from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import trio
from trio.testing import trio_test, wait_all_tasks_blocked

from tests.actor.pair import open_pair, open_portal
from tests.actor.processes import cancel_when
from treetap.actor.context import Context
from treetap.errors import ActorDied, ActorError, PayloadError, RemoteCancelled, RemoteError

#: What the functions did; the other end is in this process too.
done: list[Any] = []
#: What they wait for.
gate = threading.Event()
begun = threading.Event()


@pytest.fixture(autouse=True)
def nothing_done():
    done.clear()
    gate.clear()
    begun.clear()


async def add(a: int, b: int = 10) -> int:
    await trio.lowlevel.checkpoint()
    return a + b


async def wrong_result() -> int:
    return "x"  # type: ignore[return-value]


async def fail(text: str) -> None:
    raise LookupError(text)


async def fail_in_groups() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail, "one")
        nursery.start_soon(fail, "two")


async def sleep() -> None:
    done.append("begun")
    try:
        await trio.sleep_forever()
    except trio.Cancelled:
        done.append("cancelled")
        raise


async def sleep_and_clean_up() -> None:
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.05)
        done.append("cleaned up")


async def fail_in_the_end() -> None:
    try:
        await trio.sleep_forever()
    finally:
        raise LookupError("in the end")


async def stuck() -> None:
    with trio.CancelScope(shield=True):
        while not gate.is_set():
            await trio.sleep(0.01)
    done.append("came loose")


async def cancel_itself() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await trio.sleep_forever()


async def leave() -> None:
    raise SystemExit(3)


async def let_asyncio_through() -> None:
    raise asyncio.CancelledError("of another loop")


async def answer(value):
    return value


async def names(*, key: str) -> dict[str, str]:
    return {"key": key}


def thread_name(prefix: str) -> str:
    return prefix + threading.current_thread().name


def fail_in_a_thread() -> None:
    raise LookupError("thread")


def wait_in_a_thread() -> None:
    begun.set()
    assert gate.wait(30)
    done.append("thread ended")


@trio_test
async def test_a_call_gives_what_the_function_returns():
    async with open_portal() as portal:
        assert await portal.run(add, 1) == 11
        assert await portal.run(add, 1, b=2) == 3
        assert await portal.run(add, a=1, b=2) == 3
        assert await portal.run(names, key="k") == {"key": "k"}
        assert await portal.run(answer, [None, {"a": b"b"}]) == [None, {"a": b"b"}]


@trio_test
async def test_many_tasks_use_one_portal_at_once():
    found = []

    async def one(portal, number: int) -> None:
        for step in range(10):
            found.append(await portal.run(add, number, step) - step == number)

    async with open_portal() as portal, trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(one, portal, number)
    assert found == [True] * 500


@trio_test
async def test_a_sync_function_runs_in_a_thread_over_there():
    async with open_portal() as portal:
        name = await portal.run_sync(thread_name, "in ")
        assert name != "in " + threading.current_thread().name
        with pytest.raises(LookupError, match="thread"):
            await portal.run_sync(fail_in_a_thread)
        with pytest.raises(ActorError, match="run_sync"):
            await portal.run(thread_name, "x")
        with pytest.raises(ActorError, match="is async"):
            await portal.run_sync(add, 1)


@trio_test
async def test_what_the_function_raises_is_raised_here_with_its_origin():
    async with open_portal() as portal:
        with pytest.raises(LookupError, match="no such") as caught:
            await portal.run(fail, "no such")
        (note,) = caught.value.__notes__
        assert "in actor far (pid" in note
        assert "raise LookupError(text)" in note
        assert "treetap/actor" not in note
        with pytest.raises(ExceptionGroup) as group:
            await portal.run(fail_in_groups)
        assert sorted(map(str, group.value.exceptions)) == ["one", "two"]
        assert await portal.run(add, 1) == 11


@trio_test
async def test_an_exit_ends_the_call_and_not_the_actor():
    async with open_portal() as portal:
        with pytest.raises(RemoteError) as caught:
            await portal.run(leave)
        assert (caught.value.type_name, caught.value.text) == ("SystemExit", "3")
        assert await portal.run(add, 1) == 11


@trio_test
async def test_what_is_no_exception_but_of_another_loop_ends_the_call_alone():
    async with open_portal() as portal:
        with pytest.raises(RemoteError, match="of another loop") as caught:
            await portal.run(let_asyncio_through)
        assert caught.value.type_name == "asyncio.exceptions.CancelledError"
        assert await portal.run(add, 1) == 11


@trio_test
async def test_wrong_types_are_errors_of_the_side_that_sends_them():
    async with open_portal() as portal:
        with pytest.raises(PayloadError, match="argument 'a' must be int, and is str") as caught:
            await portal.run(add, "x")  # type: ignore[arg-type]
        assert not hasattr(caught.value, "__notes__")
        with pytest.raises(PayloadError, match="result must be int") as caught:
            await portal.run(wrong_result)
        assert "in actor far" in caught.value.__notes__[0]
        with pytest.raises(TypeError, match="positional"):
            await portal.run(add, 1, 2, 3)  # type: ignore[call-arg]


@trio_test
async def test_a_value_that_is_too_large_is_an_error_of_its_sender_and_nothing_else():
    small = {"max_frame_bytes": 100_000}
    async with open_pair(near=small, far=small) as (near, _):
        assert await near.portal.run(answer, "x" * 90_000) == "x" * 90_000
        with pytest.raises(PayloadError, match="too large"):
            await near.portal.run(answer, "x" * 100_001)
        with pytest.raises(PayloadError, match="too large") as caught:
            await near.portal.run(double, "x" * 60_000)
        assert "in actor far" in caught.value.__notes__[0]
        assert await near.portal.run(answer, 1) == 1


async def double(text: str) -> str:
    return text * 2


@trio_test
async def test_a_call_that_is_cancelled_here_is_cancelled_there():
    async with open_portal() as portal:
        with trio.move_on_after(0.05) as scope:
            await portal.run(sleep)
        assert scope.cancelled_caught
        assert done == ["begun", "cancelled"]
        assert await portal.run(add, 1) == 11


@trio_test
async def test_a_cancelled_call_waits_for_the_end_over_there():
    async with open_portal() as portal:
        with trio.move_on_after(0.05) as scope:
            await portal.run(sleep_and_clean_up)
        assert scope.cancelled_caught
        assert done == ["cleaned up"]


@trio_test
async def test_what_goes_wrong_over_there_while_it_is_cancelled_is_not_lost():
    async with open_portal() as portal:
        with pytest.raises(LookupError, match="in the end"):
            with trio.move_on_after(0.05):
                await portal.run(fail_in_the_end)


@trio_test
async def test_a_cancelled_call_waits_no_longer_than_its_grace():
    async with open_portal(cancel_grace_s=0.05) as portal:
        with trio.fail_after(10), trio.move_on_after(0.01):
            await portal.run(stuck)
        assert done == []
        # Its end, which comes later, harms nobody.
        gate.set()
        with trio.fail_after(10):
            while not done:
                await trio.sleep(0.01)
        assert await portal.run(add, 1) == 11


@trio_test
async def test_a_call_in_a_cancelled_scope_is_not_made():
    async with open_portal() as portal:
        with trio.CancelScope() as scope:
            scope.cancel()
            await portal.run(sleep)
        assert scope.cancelled_caught
        await portal.run(add, 1)
        assert done == []


@trio_test
async def test_a_thread_that_is_cancelled_is_left_to_itself():
    async with open_portal() as portal:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel_when, begun.is_set, scope)
                await portal.run_sync(wait_in_a_thread)
        assert scope.cancelled_caught
        assert done == []
        gate.set()
        with trio.fail_after(10):
            while not done:
                await trio.sleep(0.01)


@trio_test
async def test_a_function_that_cancels_its_own_scope_has_simply_ended():
    async with open_portal() as portal:
        assert await portal.run(cancel_itself) is None


@trio_test
async def test_a_function_cancelled_by_the_end_of_its_actor_is_an_error_that_says_so():
    far = {"why_ending": lambda: "its parent ends it"}
    async with open_pair(far=far) as (near, other), trio.open_nursery() as nursery:
        nursery.start_soon(cancel_when_begun, other.scope)
        with pytest.raises(
            RemoteCancelled, match=r"test_call:sleep in far .* was cancelled: its parent ends it"
        ):
            await near.portal.run(sleep)


async def cancel_when_begun(scope: trio.CancelScope) -> None:
    while not done:
        await trio.sleep(0)
    scope.cancel()


peers: list[Any] = []


async def call_back(depth: int) -> int:
    """Each call is made by the other end."""
    if depth == 0:
        return 0
    return 1 + await peers[depth % 2].portal.run(call_back, depth - 1)


@trio_test
async def test_both_sides_call_each_other_over_one_channel():
    async with open_pair() as both:
        peers[:] = both
        assert await both[0].portal.run(call_back, 20) == 20
    peers.clear()


async def ask_the_caller(ctx: Context[None, None, int], number: int) -> int:
    await ctx.started(await ctx.portal.run(add, number, 1))
    return await ctx.portal.run(add, number, 2)


@trio_test
async def test_a_function_with_a_context_can_call_its_caller():
    async with open_portal() as portal:
        async with portal.open_context(ask_the_caller, 5) as (ctx, first):
            assert first == 6
        assert await ctx.result() == 7


@trio_test
async def test_a_call_after_the_end_of_the_channel_is_an_error():
    async with open_pair() as (near, _):
        portal = near.portal
    with pytest.raises(ActorDied, match="closed on this side"):
        await portal.run(add, 1)


@trio_test
async def test_thousands_of_calls_leave_nothing_behind():
    async with open_pair() as (near, far):
        for number in range(2000):
            await near.portal.run(add, number)
        assert not near._outgoing
        assert not far._incoming
        await wait_all_tasks_blocked()
        assert len(far._service.child_tasks) == 0
