"""A leaf at its prompt, below a chain of actors, and what may happen above it meanwhile.

``python examples/debug/actors_nested.py DEPTH WHAT [FILE]``, from depth 2. WHAT is: ``nothing``; ``root-raises``,
``middle-raises``, ``root-cancels``, ``sibling-crashes`` (each of them a second after its actor has started the next, or
as soon as there is a FILE); ``crash`` (the leaf's own: each on its way up has a prompt too). The leaf stays at its prompt
until you continue it, whatever happens.
"""

from __future__ import annotations

import sys
from typing import Literal

import trio

from treetap import actor


async def leaf(what: str) -> None:
    sap = "sweet"
    if what == "crash":
        raise ValueError(f"the leaf broke, its sap {sap}")
    breakpoint()
    print("the leaf goes on", flush=True)


async def twig() -> None:
    raise KeyError("twig")


async def branch(levels: int, what: str, is_root: bool = False) -> None:
    """Start what is below, and wait for it."""
    # Who is below has it from the root. With "each", whom the leaf's crash passes is asked as well.
    debug: Literal[True, "each"] | None = None
    if is_root:
        debug = "each" if what == "crash" else True
    async with actor.open_nursery(debug=debug) as nursery:
        portal = await nursery.start_actor(f"level-{levels - 1}" if levels > 1 else "leaf")
        async with trio.open_nursery() as tasks:
            who = "root" if is_root else "middle" if levels == 1 else ""
            tasks.start_soon(happen, who, what, nursery, portal)
            if levels > 1:
                await portal.run(branch, levels - 1, what)
            else:
                await portal.run(leaf, what)
            tasks.cancel_scope.cancel()


async def happen(who: str, what: str, nursery: actor.ActorNursery, portal: actor.Portal) -> None:
    await told()
    if what == f"{who}-raises":
        raise LookupError(f"the {who} broke")
    if what == f"{who}-cancels":
        await portal.cancel()
        print("cancelled", flush=True)
    if who == "middle" and what == "sibling-crashes":
        sibling = await nursery.start_actor("sibling")
        await sibling.run(twig)


async def told() -> None:
    """Wait until it is to happen."""
    if len(sys.argv) < 4:
        await trio.sleep(1)
    else:
        # Somebody outside says so: there is nothing of trio's to wait for.
        while not await trio.Path(sys.argv[3]).exists():  # noqa: ASYNC110
            await trio.sleep(0.02)


async def main() -> None:
    levels, what = int(sys.argv[1]), sys.argv[2]
    await branch(levels, what, is_root=True)
    print("all are gone", flush=True)


if __name__ == "__main__":
    trio.run(main)
