"""Actors that find each other: by name within the tree, and over TCP."""

import trio

from treetap import actor


async def balance() -> str:
    return f"{actor.current_actor().name}: 40 buckets"


async def ask_the_ledger() -> str:
    """In another actor, which was told nothing but a name."""
    async with actor.wait_for_actor("ledger") as portal:
        return await portal.run(balance)


async def listen(context: actor.Context[None, None, int]) -> None:
    """Let other hosts call this actor, until it is cancelled."""
    async with trio.open_nursery() as tasks:
        port: int = await tasks.start(actor.serve_tcp)
        await context.started(port)


async def main() -> None:
    async with actor.open_nursery() as nursery:
        ledger = await nursery.start_actor("ledger")
        clerk = await nursery.start_actor("clerk")
        print(await clerk.run(ask_the_ledger))
        async with actor.find_actor("nobody") as portal:
            print(f"nobody: {portal}")

        async with ledger.open_context(listen) as (context, port):
            # From another host: its name, and token= or TREETAP_TOKEN on both sides.
            async with actor.connect_tcp("127.0.0.1", port) as portal:
                print(await portal.run(balance))
            await context.cancel()


if __name__ == "__main__":
    trio.run(main)
