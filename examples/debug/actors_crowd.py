"""Nine leaves below three actors crash at once, and each is asked, and each above it: in order, one by one."""

import trio

from treetap import actor


async def crash(name: str) -> None:
    raise ValueError(f"{name} broke")


async def grow(name: str) -> None:
    async with actor.open_nursery() as nursery, trio.open_nursery() as tasks:
        for number in range(3):
            portal = await nursery.start_actor(f"{name}.{number}")
            tasks.start_soon(portal.run, crash, f"{name}.{number}")


async def main() -> None:
    async with actor.open_nursery(debug="each") as nursery, trio.open_nursery() as tasks:
        for number in range(3):
            portal = await nursery.start_actor(f"t.{number}")
            tasks.start_soon(portal.run, grow, f"t.{number}")


if __name__ == "__main__":
    trio.run(main)
