"""Writes the journal: what happens to probes, nodes and the daemon itself.

Writing never waits and never fails what it tells of. A kind that comes in a flood (a stranger who
guesses tokens, a thousand processes that begin at once) fills neither disk nor page: what is over
the limit is counted, and the count told with the next entry of the kind.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from treetap.store.journal import JournalEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from treetap.daemon.record import ProbeRecord
    from treetap.daemon.roster import NodeEntry
    from treetap.store.journal import JournalTable

log = logging.getLogger(__name__)

#: So many entries of a kind in so many seconds.
MAX_BURST = 200
BURST_S = 10.0


class Kind:
    """What happened."""

    PROBE_ADDED = "probe-added"
    PROBE_CHANGED = "probe-changed"
    PROBE_TOGGLED = "probe-toggled"
    PROBE_REMOVED = "probe-removed"
    PROBE_EXPIRED = "probe-expired"
    NODE_CONNECTED = "node-connected"
    NODE_RESTORED = "node-restored"
    NODE_CLOSED = "node-closed"
    NODE_LOST = "node-lost"
    CONFIG_CHANGED = "config-changed"
    CONFIG_REFUSED = "config-refused"
    REQUEST_REFUSED = "request-refused"


class Journal:
    """Args:
    table: Where entries go.
    clock: Seconds, for the limit on floods.
    """

    def __init__(self, table: JournalTable, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.table = table
        self._clock = clock
        # By kind: when its burst began, and how many entries it has had.
        self._bursts: dict[str, tuple[float, int]] = {}
        # By probe's number: whether it was enabled when it was last heard of.
        self._enabled: dict[int, bool] = {}

    def note(
        self,
        kind: str,
        *,
        entry: NodeEntry | None = None,
        record: ProbeRecord | None = None,
        actor: str = "",
        **details: Any,
    ) -> None:
        """Write an entry.

        Args:
            kind: One of ``Kind``.
            entry: The node that it is about.
            record: The probe that it is about.
            actor: Who did it, where that is known.
            details: Plain data.
        """
        kept = self._kept_back(kind)
        if kept is None:
            return
        if kept:
            details["suppressed"] = kept
        if entry is not None:
            details = {"node": entry.identity.id, "name": entry.identity.name, **details}
        if record is not None:
            details = {
                "probe": record.probe.id,
                "probe_name": record.probe.name,
                "location": str(record.probe.location),
                **details,
            }
        written = JournalEntry(
            kind,
            time.time_ns(),
            node=entry.key if entry is not None else 0,
            probe=record.number if record is not None else 0,
            actor=actor,
            details=details,
        )
        self.table.write(written).add_done_callback(_complain)

    def note_probe(self, change: str, record: ProbeRecord) -> None:
        """A probe was ``added``, ``changed``, ``removed`` or has ``expired``."""
        number, is_enabled = record.number, record.probe.is_enabled
        kind = f"probe-{change}"
        if change == "changed" and self._enabled.get(number, True) != is_enabled:
            kind = Kind.PROBE_TOGGLED
        if change == "removed":
            self._enabled.pop(number, None)
        else:
            self._enabled[number] = is_enabled
        self.note(kind, record=record, is_enabled=is_enabled)

    def _kept_back(self, kind: str) -> int | None:
        """How many entries of the kind were kept back before this one; ``None`` to keep it back."""
        now_s = self._clock()
        began_s, count = self._bursts.get(kind, (now_s, 0))
        if now_s - began_s >= BURST_S:
            self._bursts[kind] = (now_s, 1)
            return max(0, count - MAX_BURST)
        self._bursts[kind] = (began_s, count + 1)
        return 0 if count < MAX_BURST else None


def _complain(written: Any) -> None:
    error = written.exception()
    # A daemon that ends has closed its store: what happens then is in its log.
    if error is not None and not isinstance(error, RuntimeError):
        log.warning("an entry of the journal is lost: %s", error)
