"""The tools as they are used: over actors, portals, contexts and streams."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import trio_test

from tests.actor.processes import PATIENCE_S, cancel_when
from tests.conftest import wait_until
from treetap.actor import (
    ActorDied,
    AsyncioCancelled,
    Context,
    Portal,
    Subscription,
    bare_errors,
    current_actor,
    gather_contexts,
    maybe_open_context,
    open_broadcast,
    open_nursery,
    to_asyncio,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("home")


async def count(context: Context[int, None, str], to: int) -> None:
    await context.started(current_actor().name)
    async with context.open_stream() as stream:
        for number in range(to):
            await stream.send(number)


async def count_and_fail(context: Context[int, None, None], how: str) -> None:
    await context.started(None)
    async with context.open_stream() as stream:
        await stream.send(1)
        if how == "raises":
            raise LookupError("the source")
        os.kill(os.getpid(), signal.SIGKILL)


async def stay(context: Context[Any, Any, int]) -> None:
    await context.started(os.getpid())
    await trio.sleep_forever()


async def refuse(context: Context[Any, Any, int]) -> None:
    raise LookupError("not today")


async def branch(context: Context[Any, Any, list[int]], depth: int) -> None:
    """Keep two actors below this one, and so on; starts with the pids of all."""
    async with AsyncExitStack() as stack:
        pids = [os.getpid()]
        if depth:
            nursery = await stack.enter_async_context(open_nursery())
            portals = [await nursery.start_actor(f"branch-{number}") for number in range(2)]
            opened = [portal.open_context(branch, depth - 1) for portal in portals]
            for _, found in await stack.enter_async_context(gather_contexts(opened)):
                pids += found
        await context.started(pids)
        await trio.sleep_forever()


async def add(a: int, b: int) -> int:
    return a + b


async def add_in_asyncio(a: int, b: int) -> int:
    return await to_asyncio.run_task(asyncio_add, a, b)


async def asyncio_add(a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a + b


async def sleep_in_asyncio(path: str) -> None:
    await to_asyncio.run_task(asyncio_sleep, path)


def begun_mark(path: str) -> str:
    return path + ".begun"


async def asyncio_sleep(path: str) -> None:
    try:
        with open(begun_mark(path), "w", encoding="utf-8"):
            pass
        await asyncio.sleep(1000)
    finally:
        with open(path, "w", encoding="utf-8") as file:
            file.write("cleaned up")


async def fail_in_asyncio() -> None:
    await to_asyncio.run_task(asyncio_fail)


async def asyncio_fail() -> None:
    await asyncio.sleep(0)
    raise LookupError("asyncio's")


async def give_up_in_asyncio() -> None:
    await to_asyncio.run_task(asyncio_give_up)


async def asyncio_give_up() -> None:
    raise asyncio.CancelledError


async def relay(context: Context[int, int, None]) -> None:
    """Between a stream of another actor and an asyncio function of this one."""
    await context.started(None)
    async with context.open_stream() as stream, to_asyncio.open_channel_from(double) as channel:
        async for number in stream:
            await channel.send(number)
            await stream.send(await channel.receive())


async def double(channel: to_asyncio.AsyncioEnd) -> None:
    async for number in channel:
        await channel.send(2 * number)


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@trio_test
async def test_a_stream_of_another_actor_is_broadcast_to_many_tasks(home: Path):
    got: dict[int, list[int]] = {}

    async def collect(number: int, values: Subscription[int]) -> None:
        got[number] = [value async for value in values]

    async with open_nursery() as nursery:
        portal = await nursery.start_actor("counter")
        async with portal.open_context(count, 500) as (context, name):
            assert name == "counter"
            async with (
                context.open_stream() as stream,
                open_broadcast(stream) as broadcast,
                trio.open_nursery() as tasks,
            ):
                for number in range(3):
                    tasks.start_soon(collect, number, broadcast.subscribe())
    assert got == {number: list(range(500)) for number in range(3)}


@pytest.mark.parametrize(
    ("how", "kind", "text"),
    [("raises", LookupError, "the source"), ("dies", ActorDied, "was ended by SIGKILL")],
)
@trio_test
async def test_a_broadcast_whose_actor_fails_ends_with_that_one_error(
    home: Path, how: str, kind: type[Exception], text: str
):
    async def collect(values: Subscription[int]) -> None:
        async for _ in values:
            pass

    with pytest.raises(kind, match=text), bare_errors():
        async with open_nursery(cancel_grace_s=PATIENCE_S) as nursery:
            portal = await nursery.start_actor("source")
            async with portal.open_context(count_and_fail, how) as (context, _):
                async with (
                    context.open_stream() as stream,
                    open_broadcast(stream) as broadcast,
                    trio.open_nursery() as tasks,
                ):
                    for _ in range(3):
                        tasks.start_soon(collect, broadcast.subscribe())


@trio_test
async def test_contexts_in_several_actors_are_opened_side_by_side(home: Path):
    async with open_nursery() as nursery:
        portals = [await nursery.start_actor(f"actor-{number}") for number in range(3)]
        opened = [portal.open_context(stay) for portal in portals]
        with trio.CancelScope() as scope:
            async with gather_contexts(opened) as values:
                pids = [pid for _, pid in values]
                assert pids == [portal.actor.pid for portal in portals]
                scope.cancel()
    assert not any(map(is_there, pids))


@trio_test
async def test_one_of_the_contexts_that_fails_ends_the_others(home: Path):
    async with open_nursery() as nursery:
        first = await nursery.start_actor("first")
        second = await nursery.start_actor("second")
        with pytest.raises(LookupError, match="not today"):
            async with gather_contexts([first.open_context(stay), second.open_context(refuse)]):
                pytest.fail("entered")
        assert await first.run(add, 1, 2) == 3


@trio_test
async def test_a_tree_of_contexts_that_is_cancelled_is_gone_without_an_error(home: Path):
    pids: list[int] = []
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("trunk")
        with trio.CancelScope() as scope:
            async with portal.open_context(branch, 2) as (_, found):
                pids += found
                scope.cancel()
    assert len(set(pids)) == 7
    assert not any(map(is_there, pids))


@trio_test
async def test_a_tree_of_contexts_whose_nursery_is_cancelled_is_gone_without_an_error(home: Path):
    pids: list[int] = []
    with trio.CancelScope() as scope:
        async with open_nursery() as nursery:
            portals = [await nursery.start_actor(f"trunk-{number}") for number in range(2)]
            async with gather_contexts(
                portal.open_context(branch, 1) for portal in portals
            ) as all_:
                pids += [pid for _, found in all_ for pid in found]
                scope.cancel()
                await trio.sleep_forever()
    assert len(set(pids)) == 6
    assert not any(map(is_there, pids))


@trio_test
async def test_tasks_share_an_actor_that_the_first_starts_and_the_last_ends(home: Path):
    pids: set[int] = set()

    @asynccontextmanager
    async def open_worker(name: str) -> AsyncIterator[Portal]:
        async with open_nursery() as nursery:
            yield await nursery.start_actor(name)

    async def use(number: int) -> None:
        async with maybe_open_context(open_worker, {"name": "shared"}) as (_, portal):
            pids.add(portal.actor.pid)
            assert await portal.run(add, number, 1) == number + 1
            await together.wait()

    together = trio.Event()
    async with open_nursery():  # the tree lives as long as this
        async with trio.open_nursery() as tasks:
            for number in range(4):
                tasks.start_soon(use, number)
            with trio.fail_after(20):
                while not pids:
                    await trio.sleep(0.002)
            await trio.testing.wait_all_tasks_blocked(0.05)
            together.set()
    assert len(pids) == 1
    assert not is_there(pids.pop())


@trio_test
async def test_an_asyncio_function_is_a_task_of_an_actor(home: Path):
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("bridge")
        assert await portal.run(add_in_asyncio, 1, 2) == 3
        with pytest.raises(LookupError, match="asyncio's") as caught:
            await portal.run(fail_in_asyncio)
        assert "in asyncio_fail" in caught.value.__notes__[0]
        with pytest.raises(AsyncioCancelled, match="asyncio_give_up"):
            await portal.run(give_up_in_asyncio)


@trio_test
async def test_a_cancelled_call_cancels_the_asyncio_function_in_the_actor(
    home: Path, tmp_path: Path
):
    path = tmp_path / "log"
    async with open_nursery(cancel_grace_s=PATIENCE_S) as nursery:
        portal = await nursery.start_actor("bridge")
        await portal.run(add_in_asyncio, 1, 2)
        async with trio.open_nursery() as tasks:
            tasks.start_soon(portal.run, sleep_in_asyncio, str(path))
            await cancel_when(partial(os.path.exists, begun_mark(str(path))), tasks.cancel_scope)
        assert tasks.cancel_scope.cancelled_caught
        assert path.read_text(encoding="utf-8") == "cleaned up"


@trio_test
async def test_an_actor_that_ends_ends_its_asyncio_functions_in_order(home: Path, tmp_path: Path):
    path = tmp_path / "log"
    async with open_nursery(cancel_grace_s=PATIENCE_S) as nursery:
        portal = await nursery.start_actor("bridge")
        await portal.run(add_in_asyncio, 1, 2)
        with pytest.raises(ExceptionGroup):
            async with trio.open_nursery() as tasks:
                tasks.start_soon(portal.run, sleep_in_asyncio, str(path))
                begun = partial(os.path.exists, begun_mark(str(path)))
                await trio.to_thread.run_sync(wait_until, begun)
                await portal.cancel()
        await trio.to_thread.run_sync(wait_until, path.exists)


@trio_test
async def test_values_go_from_a_stream_through_asyncio_and_back(home: Path):
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("bridge")
        async with portal.open_context(relay) as (context, _):
            async with context.open_stream() as stream:
                for number in range(200):
                    await stream.send(number)
                    assert await stream.receive() == 2 * number


@pytest.mark.parametrize("name", ["", 3, None, "two\nlines"])
@trio_test
async def test_a_name_that_cannot_be_shown_is_refused(home: Path, name: Any):
    async with open_nursery() as nursery:
        with pytest.raises(ValueError, match="some printable text, not"):
            await nursery.start_actor(name)


@trio_test
async def test_a_portal_shows_whom_it_leads_to(home: Path):
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("bob")
        assert repr(portal) == f"<OwnedPortal to {portal.actor}>"


def test_an_asyncio_program_has_actors_when_trio_is_its_guest(home: Path):
    async def one_call() -> int:
        async with open_nursery() as nursery:
            return await nursery.run(add, 1, 2)

    async def host() -> int:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        trio.lowlevel.start_guest_run(
            one_call,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=done.set_result,
        )
        return (await done).unwrap()

    assert asyncio.run(host()) == 3
