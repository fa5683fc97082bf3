"""Two actors crash; one of them is to be debugged, and only that one has a prompt."""

import trio

from treetap import actor


async def crash(name: str) -> None:
    raise ValueError(f"{name} broke")


async def main() -> None:
    async with actor.open_nursery() as nursery:
        for name, is_debugged in (("quiet", False), ("debugged", True)):
            portal = await nursery.start_actor(name, debug=is_debugged)
            try:
                await portal.run(crash, name)
            except ValueError as error:
                print("got:", error, flush=True)


if __name__ == "__main__":
    trio.run(main)
