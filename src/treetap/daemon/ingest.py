"""The way of a batch: from a node's link to the store and the live feed.

This is the daemon's hot path. What it does, it does once a batch; the checks of all rows run in C.
"""

from __future__ import annotations

import time
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from treetap.daemon import event_form
from treetap.daemon.feed import About, Feed, Happening
from treetap.daemon.ledger import Ledger
from treetap.errors import LinkError
from treetap.store import EventBatch, LossRow, Store
from treetap.wire.message import batch_from_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treetap.daemon.record import ProbeRecord
    from treetap.daemon.roster import NodeEntry
    from treetap.daemon.tally import Tally

_time_of = itemgetter(0)
_MAX_INT = 2**63 - 1


class _Loss(NamedTuple):
    first_number: int
    lost: int
    where: str
    next_number: int


class Ingest:
    """Numbers batches, counts what is missing, hands rows on.

    Args:
        store: Where rows go.
        feed: Where listeners are.
        tally: Counts losses by probe.
        record_of: The probe of an id, one that was removed a moment ago too.
    """

    def __init__(
        self,
        store: Store,
        feed: Feed,
        tally: Tally,
        record_of: Callable[[str], ProbeRecord | None],
    ) -> None:
        self.ledger = Ledger()
        self._store = store
        self._feed = feed
        self._tally = tally
        self._record_of = record_of
        # (node key, probe number) to first number and count, until there is room in the store.
        self._dropped: dict[tuple[int, int], tuple[int, int, NodeEntry]] = {}
        self.rows = 0
        self.lost_rows = 0
        self.unplaced_rows = 0

    def batch(self, entry: NodeEntry, message: list[Any], size_bytes: int) -> None:
        """Take one batch from the wire.

        Raises:
            LinkError: It is malformed (slug ``link-message``).
        """
        probe_id, first_number, rows = batch_from_wire(message)
        _check_rows(first_number, rows)
        entry.last_seen_at_s = time.time()
        record = self._record_of(probe_id)
        if record is None or (rows and len(rows[0]) != record.width + 1):
            # From a time before this daemon's store: nobody knows what the values are.
            self.unplaced_rows += len(rows)
            return
        count = len(rows)
        place = entry.key, record.number
        gap = self.ledger.gap(place, first_number, count)
        if gap:
            self._lose(entry, record, _Loss(first_number - gap, gap, "node", first_number))
        if not count:
            return
        self.rows += count
        first_id = self._store.new_ids(count)
        batch = EventBatch(first_id or 0, record.number, entry.key, first_number, rows, size_bytes)
        if first_id is None or not self._store.submit(batch):
            self._drop(entry, place, first_number, count)
        elif place in self._dropped:
            self._tell_dropped(place)
        self._publish(batch, record, entry)

    def tell_dropped(self) -> None:
        """Make events of what the full store could not take; called now and then."""
        for place in list(self._dropped):
            self._tell_dropped(place)

    def unwritten(
        self, batches: Sequence[EventBatch], entry_of: Callable[[int], NodeEntry | None]
    ) -> None:
        """The store gave up on these."""
        for batch in batches:
            entry = entry_of(batch.node)
            if entry is not None:
                self._drop(entry, (batch.node, batch.probe), batch.first_number, len(batch.rows))
            else:
                # Its node is long gone: there is nobody whose event it could be.
                self.lost_rows += len(batch.rows)

    def _publish(self, batch: EventBatch, record: ProbeRecord, entry: NodeEntry) -> None:
        if not self._feed.listener_count:
            return
        node = entry.identity
        about = About(record.probe.id, node.id, node.tree, node.pid, node.name)
        make = partial(event_form.hits, batch, record, node)
        self._feed.publish(Happening("hit", about, len(batch.rows), make))

    def _drop(
        self, entry: NodeEntry, place: tuple[int, int], first_number: int, count: int
    ) -> None:
        first, before, _ = self._dropped.get(place, (first_number, 0, entry))
        self._dropped[place] = (first, before + count, entry)

    def _tell_dropped(self, place: tuple[int, int]) -> None:
        first_number, count, entry = self._dropped.pop(place)
        record = self._record_of(f"p{place[1]}")
        if record is not None:
            expected = self.ledger.expected(place)
            self._lose(entry, record, _Loss(first_number, count, "store", expected))

    def _lose(self, entry: NodeEntry, record: ProbeRecord, seen: _Loss) -> None:
        first_number, lost, where, next_number = seen
        self.lost_rows += lost
        self._tally.add_lost(record.probe.id, lost)
        event_id = self._store.new_ids(1)
        if event_id is None:
            return
        loss = LossRow(
            event_id,
            record.number,
            entry.key,
            first_number,
            time.time_ns(),
            lost,
            where,
            next_number,
        )
        self._store.submit_loss(loss)
        node, probe = entry.identity, record.probe
        event = {
            "kind": "loss",
            "id": event_id,
            "probe": probe.id,
            "probe_name": probe.name,
            "location": str(probe.location),
            "node": node.id,
            "pid": node.pid,
            "name": node.name,
            "tree": node.tree,
            "number": first_number,
            "time_ns": loss.time_ns,
            "lost": lost,
            "where": where,
        }
        about = About(probe.id, node.id, node.tree, node.pid, node.name)
        self._feed.publish(Happening("loss", about, 1, lambda: [event]))


def _check_rows(first_number: int, rows: list[Any]) -> None:
    """Raises ``LinkError`` for what the store could not take."""
    if not 0 <= first_number <= _MAX_INT - len(rows):
        raise LinkError("A batch begins at an impossible number.", slug="link-message")
    if not rows:
        return
    if set(map(type, rows)) != {list} or len(set(map(len, rows))) != 1 or not rows[0]:
        raise LinkError("A batch has rows of different widths.", slug="link-message")
    times = list(map(_time_of, rows))
    if set(map(type, times)) != {int} or not 0 <= min(times) <= max(times) <= _MAX_INT:
        raise LinkError("A batch has a row without a time.", slug="link-message")
