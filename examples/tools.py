"""Four tools: gathered contexts, one stream for many tasks, a shared resource, asyncio functions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from treetap import actor
from treetap.actor import to_asyncio


async def thermometer(context: actor.Context[float, None, str], tree: str) -> None:
    await context.started(tree)
    async with context.open_stream() as stream:
        for tenths in range(-10, 11, 5):
            await stream.send(tenths / 10)


async def collect(degrees: actor.Subscription[float], into: list[float]) -> None:
    async with degrees:
        into += [value async for value in degrees]


async def fetch(page: str) -> str:
    """An asyncio function: here its libraries work."""
    await asyncio.sleep(0.01)
    return f"contents of {page}"


async def shout(channel: to_asyncio.AsyncioEnd) -> None:
    async for word in channel:
        await channel.send(word.upper())


@asynccontextmanager
async def open_worker(name: str) -> AsyncIterator[actor.Portal]:
    async with actor.open_nursery() as nursery:
        yield await nursery.start_actor(name)


async def read(page: str, into: list[str]) -> None:
    # The first task starts the actor, the others share it, the last one ends it.
    async with actor.maybe_open_context(open_worker, {"name": "reader"}) as (_, portal):
        into.append(await portal.run(read_there, page))


async def read_there(page: str) -> str:
    return await to_asyncio.run_task(fetch, page)


async def main() -> None:
    async with actor.open_nursery() as nursery:
        # Contexts in several actors, opened side by side; values in the order asked.
        portals = [await nursery.start_actor(f"thermometer-{number}") for number in (1, 2)]
        opened = [
            portal.open_context(thermometer, tree)
            for portal, tree in zip(portals, ("maple", "birch"), strict=True)
        ]
        async with actor.gather_contexts(opened) as ((maple, first), (birch, second)):
            print(first, second)

            # One stream to two tasks; neither waits for the other.
            screen: list[float] = []
            log: list[float] = []
            async with (
                maple.open_stream() as stream,
                actor.open_broadcast(stream) as broadcast,
                trio.open_nursery() as tasks,
            ):
                tasks.start_soon(collect, broadcast.subscribe(), screen)
                tasks.start_soon(collect, broadcast.subscribe(), log)
            print(screen, log == screen)
            async with birch.open_stream() as stream:
                print(f"coldest birch: {min([value async for value in stream])}")

        texts: list[str] = []
        async with trio.open_nursery() as tasks:
            for page in ("page 1", "page 2"):
                tasks.start_soon(read, page, texts)
        print(sorted(texts))

    async with to_asyncio.open_channel_from(shout) as channel:
        await channel.send("sap")
        print(await channel.receive())


if __name__ == "__main__":
    trio.run(main)
