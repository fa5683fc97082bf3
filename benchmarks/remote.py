"""What the actors of a benchmark do: functions that another process finds by their names."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from typing import Any

import trio

from treetap import actor


async def add(a: int, b: int) -> int:
    return a + b


async def stay_on(core: int) -> int:
    """Keep this actor on one core; gives its pid."""
    from benchmarks.clock import pin

    pin(core)
    return os.getpid()


async def swallow(context: actor.Context[int, Any, None]) -> None:
    """Receive until the end; then say how many they were."""
    await context.started(None)
    count = 0
    async with context.open_stream() as stream:
        async for _ in stream:
            count += 1
        await stream.send(count)


async def swallow_pieces(context: actor.Context[int, bytes, None]) -> None:
    """As ``swallow``, of bytes."""
    await swallow(context)


async def plant(context: actor.Context[Any, Any, list[int]], depth: int, width: int) -> None:
    """Have ``width`` actors below this one, and below each as many, ``depth`` levels of them.

    Starts with the pids of all of them, when they are up, and keeps them until it is cancelled.
    """
    async with AsyncExitStack() as stack:
        pids = await grow(stack, depth, width)
        await context.started([os.getpid(), *pids])
        await trio.sleep_forever()


async def grow(stack: AsyncExitStack, depth: int, width: int) -> list[int]:
    """``width`` actors with ``depth - 1`` levels below each; the pids of all of them."""
    if not depth:
        return []
    nursery = await stack.enter_async_context(actor.open_nursery())

    portals: list[actor.Portal] = []

    async def start(number: int) -> None:
        portals.append(await nursery.start_actor(f"branch-{number}"))

    async with trio.open_nursery() as tasks:
        for number in range(width):
            tasks.start_soon(start, number)
    opened = [portal.open_context(plant, depth - 1, width) for portal in portals]
    gathered = await stack.enter_async_context(actor.gather_contexts(opened))
    return [pid for _, pids in gathered for pid in pids]
