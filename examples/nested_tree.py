"""A tree of actors: each may have a nursery of its own, at any depth, in any task."""

import trio

from treetap import actor


async def grow(depth: int) -> list[str]:
    """Start two actors below this one, and so on; give the lines of the tree."""
    me = actor.current_actor().name
    lines = [me]
    if depth:
        async with actor.open_nursery() as nursery:
            for side in ("left", "right"):
                portal = await nursery.start_actor(f"{me}.{side}")
                lines += [f"  {line}" for line in await portal.run(grow, depth - 1)]
    return lines


async def main() -> None:
    async with actor.open_nursery() as nursery:
        portal = await nursery.start_actor("tree")
        print("\n".join(await portal.run(grow, 2)))
    print("all seven are gone")


if __name__ == "__main__":
    trio.run(main)
