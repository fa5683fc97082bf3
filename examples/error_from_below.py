"""An error three levels down comes up as itself, with a note for each process that it passed.

As a trio nursery does, a nursery of actors raises a group: so there is one around it for each level,
which ``bare_errors`` takes off.
"""

import trio

from treetap import actor


class OutOfSap(Exception):
    """The tree is dry."""


async def tap(level: int) -> str:
    """Hand the work down; the last one fails."""
    if level == 0:
        raise OutOfSap("not a drop left")
    async with actor.open_nursery() as nursery:
        portal = await nursery.start_actor(f"level-{level - 1}")
        return await portal.run(tap, level - 1)


async def main() -> None:
    try:
        with actor.bare_errors():
            async with actor.open_nursery() as nursery:
                portal = await nursery.start_actor("level-2")
                await portal.run(tap, 2)
    except OutOfSap as error:
        print(f"caught {type(error).__name__}: {error}")
        for note in error.__notes__:
            print(note.splitlines()[0].partition(" (pid")[0])


if __name__ == "__main__":
    trio.run(main)
