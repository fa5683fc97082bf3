"""Two actors crash; one of them is to be debugged, and only that one has a prompt."""

import trio

from treetap import actor


async def crash(name: str) -> None:
    raise ValueError(f"{name} broke")


async def main() -> None:
    async with actor.open_nursery() as nursery, trio.open_nursery() as tasks:
        for name, is_debugged in (("quiet", False), ("debugged", True)):
            portal = await nursery.start_actor(name, debug=is_debugged)
            tasks.start_soon(portal.run, crash, name)


if __name__ == "__main__":
    trio.run(main)
