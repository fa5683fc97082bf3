"""The nodes: those on a link now, and those that were a while ago."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from treetap.store.schema import node_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from treetap.model.node import NodeIdentity

#: How many nodes that are gone are still shown, and for how long, in seconds.
_MAX_GONE = 200
_GONE_S = 600.0


class Link(Protocol):
    """What the roster needs of a node's link."""

    def send(self, message: Any) -> None:
        """Queue a message; never waits, never raises."""

    def close(self) -> None:
        """End the link once what is queued is sent."""


class NodeEntry:
    """One node.

    Attributes:
        key: ``node_key``.
        state: ``awake`` or ``gone``.
        reason: Why it is gone: ``sleep``, ``exit``, ``lost``.
    """

    def __init__(self, identity: NodeIdentity, link: Link) -> None:
        self.identity = identity
        self.key = node_key(identity)
        self.link: Link | None = link
        self.state = "awake"
        self.reason = ""
        self.connected_at_s = time.time()
        self.last_seen_at_s = self.connected_at_s

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.identity.to_dict(),
            "state": self.state,
            "reason": self.reason,
            "connected_at": self.connected_at_s,
            "last_seen_at": self.last_seen_at_s,
        }


class Roster:
    """All nodes by key.

    Args:
        on_gone: Called with the key of a node that is dropped from memory.
    """

    def __init__(self, on_gone: Callable[[int], None]) -> None:
        self._entries: dict[int, NodeEntry] = {}
        self._on_gone = on_gone

    def connect(self, identity: NodeIdentity, link: Link) -> NodeEntry:
        """A node is here; its old link, if there is one, ends."""
        entry = NodeEntry(identity, link)
        old = self._entries.get(entry.key)
        if old is not None and old.link is not None:
            old.link.close()
        # Last in order: nodes that are gone are dropped from the front.
        self._entries.pop(entry.key, None)
        self._entries[entry.key] = entry
        return entry

    def disconnect(self, entry: NodeEntry, link: Link, reason: str) -> bool:
        """Its link is over; whether the node is gone by it (it may have another by now)."""
        if entry.link is not link:
            return False
        entry.link = None
        entry.state = "gone"
        entry.reason = reason
        entry.last_seen_at_s = time.time()
        self.prune()
        return True

    def prune(self) -> None:
        gone = [entry for entry in self._entries.values() if entry.link is None]
        too_old_s = time.time() - _GONE_S
        excess = len(gone) - _MAX_GONE
        for position, entry in enumerate(gone):
            if position < excess or entry.last_seen_at_s < too_old_s:
                del self._entries[entry.key]
                self._on_gone(entry.key)

    def forget_gone(self) -> int:
        """Drop the nodes that are gone; how many."""
        gone = [entry for entry in self._entries.values() if entry.link is None]
        for entry in gone:
            del self._entries[entry.key]
            self._on_gone(entry.key)
        return len(gone)

    def get(self, key: int) -> NodeEntry | None:
        return self._entries.get(key)

    def all(self) -> list[NodeEntry]:
        return list(self._entries.values())

    def connected(self) -> list[NodeEntry]:
        return [entry for entry in self._entries.values() if entry.link is not None]
