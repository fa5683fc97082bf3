"""Processes of live trees, chosen by words of a command line: a tree, or a process and what is below it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from treetap.errors import ControlPlaneError
from treetap.node import lineage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treetap.debug.standing import Standing
    from treetap.node.lineage import Member
    from treetap.node.registry import LiveNode


def members(nodes: list[LiveNode]) -> list[Member]:
    """All processes of the nodes' trees, in order."""
    return [member for tree in lineage.trees(nodes).values() for member in tree]


def chosen(
    everything: list[Member],
    words: list[str],
    standings: Mapping[int, list[Standing]] = MappingProxyType({}),
) -> list[Member]:
    """Those that a word names, with all that is below them, in order and each once; all without words.

    Args:
        everything: All processes, in order.
        words: Each the id of a tree, or the name, pid or node id of a process; else what a prompt
            calls it.
        standings: Who is at a prompt or waits for one, by pid.

    Raises:
        ControlPlaneError: A word names none (slug ``node-unknown``).
    """
    if not words:
        return everything
    named: set[int] = set()
    for word in words:
        found = {member.pid for member in everything if _is_named(member, word)}
        # Only then: what is a node's name stays the node's.
        found = found or {
            member.pid
            for member in everything
            if any(word in (one.name, one.label) for one in standings.get(member.pid, ()))
        }
        if not found:
            raise _unknown(word, everything)
        named |= found
    pids: set[int] = set()
    for member in everything:
        # Parents come first.
        if member.parent in pids or member.pid in named:
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
