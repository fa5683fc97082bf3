from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sniffio
import trio
from trio.testing import trio_test, wait_all_tasks_blocked

from tests.actor.processes import cancel_when
from tests.process.programs import until
from treetap.actor import to_asyncio
from treetap.actor.to_asyncio import AsyncioEnd, open_channel_from, run_task
from treetap.errors import AsyncioCancelled

flavour: contextvars.ContextVar[str] = contextvars.ContextVar("flavour", default="none")


def threads_of_ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "treetap asyncio"]


@contextlib.contextmanager
def cancelled_when(begun: threading.Event) -> Iterator[trio.CancelScope]:
    """A block that is cancelled when the asyncio function has begun; before that there is none."""

    with trio.CancelScope() as scope:
        # No nursery: the error of the block is to come out as it is.
        trio.lowlevel.spawn_system_task(cancel_when, begun.is_set, scope)
        yield scope


async def add(a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a + b


@trio_test
async def test_a_task_gives_its_result():
    assert await run_task(add, 1, 2) == 3


@trio_test
async def test_many_tasks_run_side_by_side_on_one_loop():
    async def meet(barrier: asyncio.Barrier) -> int:
        await barrier.wait()
        return id(asyncio.get_running_loop())

    barrier: list[asyncio.Barrier] = []

    async def make() -> None:
        barrier.append(asyncio.Barrier(10))

    await run_task(make)
    loops: list[int] = []

    async def one() -> None:
        loops.append(await run_task(meet, barrier[0]))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(one)
    assert len(loops) == 10
    assert len(set(loops)) == 1


@trio_test
async def test_an_error_comes_out_as_it_is_with_its_own_traceback():
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        await run_task(fail)
    assert caught.traceback[-1].name == "fail"


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
@trio_test
async def test_an_error_that_would_end_an_asyncio_loop_ends_only_its_task(
    kind: type[BaseException],
):
    async def leave() -> None:
        raise kind

    with pytest.raises(kind):
        await run_task(leave)
    assert await run_task(add, 1, 2) == 3


@trio_test
async def test_a_cancelled_call_cancels_the_task_and_waits_for_its_end():
    log: list[str] = []
    begun = threading.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)
            log.append("cleaned up")
            raise

    with cancelled_when(begun) as scope:
        await run_task(work)
    assert scope.cancelled_caught
    assert log == ["cleaned up"]


@trio_test
async def test_a_task_that_finishes_in_spite_of_its_cancellation_has_its_result_told():
    begun = threading.Event()

    async def stubborn() -> str:
        try:
            begun.set()
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            return "done all the same"
        return ""

    with cancelled_when(begun) as scope:
        assert await run_task(stubborn) == "done all the same"
    assert scope.cancel_called
    assert not scope.cancelled_caught


@trio_test
async def test_an_error_in_the_clean_up_of_a_cancelled_task_comes_out():
    begun = threading.Event()

    async def clumsy() -> None:
        try:
            begun.set()
            await asyncio.sleep(1000)
        finally:
            raise OSError("in the clean-up")

    with pytest.raises(OSError, match="in the clean-up"), cancelled_when(begun):
        await run_task(clumsy)


@trio_test
async def test_a_call_that_is_cancelled_before_it_begins_leaves_nothing_running():
    started: list[int] = []

    async def note() -> None:
        started.append(1)
        await asyncio.sleep(1000)

    await run_task(add, 1, 2)
    with trio.CancelScope() as scope:
        scope.cancel()
        await run_task(note)
    assert scope.cancelled_caught

    async def count() -> int:
        return len(asyncio.all_tasks())

    assert await run_task(count) == 2  # its own, and the loop's


@trio_test
async def test_a_task_that_is_cancelled_by_itself_is_an_error_that_says_so():
    async def give_up() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1000)

    with pytest.raises(
        AsyncioCancelled, match=r"The asyncio task of .*give_up was cancelled"
    ) as it:
        await run_task(give_up)
    assert it.value.slug == "asyncio-cancelled"
    assert isinstance(it.value.__cause__, asyncio.CancelledError)


@trio_test
async def test_the_function_runs_outside_of_the_main_thread_and_trio_goes_on_meanwhile():
    ticked = threading.Event()

    def block() -> None:
        assert ticked.wait(30)

    async def hog() -> str:
        block()
        return threading.current_thread().name

    turns = 0
    done = trio.Event()

    async def count_turns() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            if turns > 10:
                ticked.set()
            await trio.sleep(0.001)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count_turns)
        assert await run_task(hog) == "treetap asyncio"
        done.set()


@trio_test
async def test_context_variables_go_along_and_do_not_come_back():
    async def taste() -> str:
        tasted = flavour.get()
        flavour.set("bitter")
        return tasted

    flavour.set("maple")
    assert await run_task(taste) == "maple"
    assert flavour.get() == "maple"


@trio_test
async def test_each_side_knows_which_library_it_is_in():
    async def name() -> str:
        return sniffio.current_async_library()

    assert await run_task(name) == "asyncio"
    assert sniffio.current_async_library() == "trio"


@trio_test
async def test_what_was_called_already_is_refused_with_the_right_way_shown():
    coroutine = add(1, 2)
    with pytest.raises(TypeError, match="not what calling it returned"):
        await run_task(coroutine)  # type: ignore[arg-type]
    coroutine.close()
    with pytest.raises(TypeError, match="an async function is needed, not 3"):
        await run_task(3)  # type: ignore[arg-type]


def test_the_thread_is_there_from_the_first_use_to_the_end_of_the_run():
    async def main() -> None:
        assert threads_of_ours() == []
        await run_task(add, 1, 2)
        assert threads_of_ours() == ["treetap asyncio"]
        await run_task(add, 1, 2)
        assert threads_of_ours() == ["treetap asyncio"]

    for _ in range(2):
        trio.run(main)
        assert threads_of_ours() == []


def test_asyncio_tasks_that_are_left_at_the_end_of_the_run_are_cancelled():
    log: list[str] = []

    async def stay() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            log.append("ended")

    kept: list[Any] = []

    async def start() -> None:
        kept.append(asyncio.create_task(stay()))
        await asyncio.sleep(0)

    trio.run(run_task, start)
    assert log == ["ended"]


def test_an_error_ends_the_run_and_the_thread():
    async def main() -> None:
        await run_task(add, 1, 2)
        raise KeyError("mine")

    with pytest.raises(KeyError):
        trio.run(main)
    assert threads_of_ours() == []


@trio_test
async def test_nothing_is_kept_of_a_finished_call():
    class Thing:
        pass

    async def use(_thing: Thing) -> None:
        pass

    for _ in range(10):
        await run_task(use, Thing())
    await run_task(add, 1, 2)
    gc.collect()
    assert sum(isinstance(thing, Thing) for thing in gc.get_objects()) == 0


# A channel


async def echo(channel: AsyncioEnd) -> str:
    async for value in channel:
        await channel.send(value)
    return "echoed"


@trio_test
async def test_values_go_both_ways_and_none_is_lost():
    got: list[int] = []
    async with open_channel_from(echo, max_buffer=3) as channel:

        async def receive() -> None:
            async for value in channel:
                got.append(value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            for number in range(2000):
                await channel.send(number)
            await channel.send_eof()
        assert await channel.result() == "echoed"
    assert got == list(range(2000))


@trio_test
async def test_a_slow_receiver_holds_up_the_sender_on_either_side():
    sent = 0

    async def flood(channel: AsyncioEnd) -> None:
        nonlocal sent
        while True:
            await channel.send(sent)
            sent += 1

    async with open_channel_from(flood, max_buffer=5) as channel:
        assert await channel.receive() == 0
        await until(lambda: sent >= 6)
        await trio.sleep(0.05)
        assert sent == 6
        channel.cancel()

    async def sleep(_channel: AsyncioEnd) -> None:
        await asyncio.sleep(1000)

    async with open_channel_from(sleep, max_buffer=5) as channel:
        for number in range(5):
            await channel.send(number)
        with trio.move_on_after(0.02) as scope:
            await channel.send(5)
        assert scope.cancelled_caught
        channel.cancel()


@trio_test
async def test_when_the_function_ends_what_it_sent_is_received_and_then_the_end():
    async def count(channel: AsyncioEnd, to: int) -> int:
        for number in range(to):
            await channel.send(number)
        return to

    async with open_channel_from(count, 3) as channel:
        assert [value async for value in channel] == [0, 1, 2]
        assert await channel.result() == 3
        with pytest.raises(trio.BrokenResourceError):
            await channel.send("nobody there")


@trio_test
async def test_an_error_of_the_function_cancels_the_block_and_comes_out_as_it_is():
    async def fail(channel: AsyncioEnd) -> None:
        await channel.receive()
        raise KeyError("asyncio's")

    with pytest.raises(KeyError, match="asyncio's"):
        async with open_channel_from(fail) as channel:
            await channel.send(1)
            await trio.sleep_forever()


@trio_test
async def test_an_error_of_the_function_comes_out_also_of_who_waits_for_its_result():
    async def fail(_channel: AsyncioEnd) -> None:
        raise KeyError("asyncio's")

    with pytest.raises(KeyError, match="asyncio's"):
        async with open_channel_from(fail) as channel:
            await channel.result()


@trio_test
async def test_an_error_of_the_block_cancels_the_function_and_comes_out_as_it_is():
    log: list[str] = []
    begun = threading.Event()

    async def work(_channel: AsyncioEnd) -> None:
        try:
            begun.set()
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            await asyncio.sleep(0.02)
            log.append("cancelled")
            raise

    with pytest.raises(KeyError, match="trio's"):
        async with open_channel_from(work):
            await until(begun.is_set)
            raise KeyError("trio's")
    assert log == ["cancelled"]


@trio_test
async def test_errors_of_both_come_out_together():
    begun = threading.Event()

    async def clumsy(_channel: AsyncioEnd) -> None:
        try:
            begun.set()
            await asyncio.sleep(1000)
        finally:
            raise OSError("in the clean-up")

    with pytest.raises(ExceptionGroup) as caught:
        async with open_channel_from(clumsy):
            await until(begun.is_set)
            raise KeyError("trio's")
    assert [type(error) for error in caught.value.exceptions] == [KeyError, OSError]


@trio_test
async def test_a_cancelled_block_cancels_the_function_and_waits_for_its_end():
    log: list[str] = []
    begun = threading.Event()

    async def work(channel: AsyncioEnd) -> None:
        try:
            begun.set()
            await channel.receive()
        finally:
            log.append("ended")

    with cancelled_when(begun) as scope:
        async with open_channel_from(work) as channel:
            await channel.receive()
    assert scope.cancelled_caught
    assert log == ["ended"]


@trio_test
async def test_an_error_in_the_clean_up_of_a_cancelled_channel_comes_out():
    begun = threading.Event()

    async def clumsy(_channel: AsyncioEnd) -> None:
        try:
            begun.set()
            await asyncio.sleep(1000)
        finally:
            raise OSError("in the clean-up")

    with pytest.raises(OSError, match="in the clean-up"), cancelled_when(begun):
        async with open_channel_from(clumsy):
            await trio.sleep_forever()


@trio_test
async def test_a_function_that_is_cancelled_by_itself_ends_the_block_with_an_error_that_says_so():
    async def give_up(_channel: AsyncioEnd) -> None:
        raise asyncio.CancelledError

    with pytest.raises(AsyncioCancelled, match="give_up"):
        async with open_channel_from(give_up):
            await trio.sleep_forever()


@trio_test
async def test_at_the_end_of_the_block_the_function_meets_the_end_and_is_waited_for():
    log: list[Any] = []

    async def collect(channel: AsyncioEnd) -> None:
        async for value in channel:
            log.append(value)
        await asyncio.sleep(0.02)
        log.append("flushed")

    async with open_channel_from(collect) as channel:
        await channel.send(1)
        await channel.send(2)
        await wait_all_tasks_blocked()
    assert log == [1, 2, "flushed"]


@trio_test
async def test_a_function_that_sends_for_ever_ends_with_the_block():
    async def tick(channel: AsyncioEnd) -> None:
        while True:
            await channel.send("tick")
            await asyncio.sleep(0.001)

    async with open_channel_from(tick) as channel:
        assert await channel.receive() == "tick"


@trio_test
async def test_values_sent_just_before_the_end_of_the_block_arrive():
    got: list[int] = []

    async def collect(channel: AsyncioEnd) -> None:
        await asyncio.sleep(0.02)
        async for value in channel:
            got.append(value)

    async with open_channel_from(collect, max_buffer=10) as channel:
        for number in range(10):
            await channel.send(number)
    assert got == list(range(10))


@trio_test
async def test_a_cancelled_function_has_no_result():
    async def wait(channel: AsyncioEnd) -> str:
        await channel.receive()
        return "never"

    async with open_channel_from(wait) as channel:
        channel.cancel()
        assert await channel.result() is None


@trio_test
async def test_a_closed_end_says_so():
    async with open_channel_from(echo) as channel:
        await channel.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await channel.send(1)
        with pytest.raises(trio.ClosedResourceError):
            await channel.receive()


@trio_test
async def test_a_cancelled_receiver_loses_no_value():
    got: list[int] = []

    async def trickle(channel: AsyncioEnd) -> None:
        for number in range(50):
            await channel.send(number)
            await asyncio.sleep(0.001)

    async with open_channel_from(trickle, max_buffer=1) as channel:
        while True:
            with trio.move_on_after(0.0007):
                try:
                    got.append(await channel.receive())
                except trio.EndOfChannel:
                    break
    assert got == list(range(50))


@trio_test
async def test_a_buffer_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        async with open_channel_from(echo, max_buffer=0):
            pass


def test_the_module_is_named_as_it_is_used():
    assert to_asyncio.run_task is run_task


@trio_test
async def test_the_function_may_say_that_it_sent_all_and_go_on_receiving():
    got: list[int] = []

    async def once(channel: AsyncioEnd) -> None:
        await channel.send("only")
        await channel.send_eof()
        with pytest.raises(trio.ClosedResourceError):
            await channel.send("more")
        async for value in channel:
            got.append(value)

    async with open_channel_from(once) as channel:
        assert [value async for value in channel] == ["only"]
        await channel.send(1)
    assert got == [1]
