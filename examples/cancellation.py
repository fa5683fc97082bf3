"""Cancellation crosses processes: what is cancelled here is cancelled there, and cleans up there."""

import time

import trio

from treetap import actor


async def work(name: str) -> None:
    try:
        await trio.sleep_forever()
    finally:
        print(f"{name}: cleaned up", flush=True)


async def stuck() -> None:
    """Hold the event loop, so that no cancellation can get through."""
    time.sleep(1000)


async def fail() -> None:
    raise ValueError("one of them fails")


async def main() -> None:
    async with actor.open_nursery(cancel_grace_s=1) as nursery:
        portal = await nursery.start_actor("worker")

        # A time limit, as for anything else in trio. The actor itself lives on.
        with trio.move_on_after(1.5):
            await portal.run(work, "the call")
        print("timed out")

        # One of several tasks fails: trio cancels the others, wherever they run.
        try:
            async with trio.open_nursery() as tasks:
                tasks.start_soon(portal.run, work, "the sibling")
                await trio.sleep(0.5)
                await portal.run(fail)
        except* ValueError as group:
            print(f"caught: {group.exceptions[0]}")

        # What can't be cancelled is killed with its actor, after the nursery's grace: a warning
        # in the log says so.
        stubborn = await nursery.start_actor("stubborn")
        with trio.move_on_after(1.5):
            await stubborn.run(stuck)
    print(f"the stubborn one was ended by signal {-(await stubborn.wait() or 0)}")


if __name__ == "__main__":
    trio.run(main)
