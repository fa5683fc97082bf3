"""Processes of live trees, chosen by words of a command line: a tree, or a process and what is below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treetap.errors import ControlPlaneError
from treetap.node import lineage

if TYPE_CHECKING:
    from treetap.node.lineage import Member
    from treetap.node.registry import LiveNode


def members(nodes: list[LiveNode]) -> list[Member]:
    """All processes of the nodes' trees, in order."""
    return [member for tree in lineage.trees(nodes).values() for member in tree]


def chosen(everything: list[Member], words: list[str]) -> list[Member]:
    """Those that a word names, with all that is below them, in order and each once; all without words.

    Args:
        everything: All processes, in order.
        words: Each the id of a tree, or the name, pid or node id of a process.

    Raises:
        ControlPlaneError: A word names none (slug ``node-unknown``).
    """
    if not words:
        return everything
    for word in words:
        if not any(_is_named(member, word) for member in everything):
            raise _unknown(word, everything)
    pids: set[int] = set()
    for member in everything:
        # Parents come first.
        if member.parent in pids or any(_is_named(member, word) for word in words):
            pids.add(member.pid)
    return [member for member in everything if member.pid in pids]


def tops(members: list[Member]) -> list[Member]:
    """Those whose parent isn't among them."""
    pids = {member.pid for member in members}
    return [member for member in members if member.parent not in pids]


def _is_named(member: Member, word: str) -> bool:
    node = member.node
    names = (
        str(member.pid),
        member.tree,
        *((node.identity.name, node.identity.id) if node else ()),
    )
    return word in names


def _unknown(word: str, everything: list[Member]) -> ControlPlaneError:
    nodes = [member for member in everything if member.node is not None]
    known = ", ".join(sorted({f"{member.name} ({member.pid})" for member in nodes}))
    return ControlPlaneError(
        f"No live node has the name, pid or tree {word!r}.",
        f"Live: {known}." if known else "None is live; start one: treetap run -- COMMAND.",
        slug="node-unknown",
    )
