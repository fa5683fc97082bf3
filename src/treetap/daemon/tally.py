"""How a probe fares in all nodes: their last reports, added up over their lives."""

from __future__ import annotations

from typing import NamedTuple

from treetap.model.status import ProbeStatus


class Totals(NamedTuple):
    """Counts of one probe, over all nodes that have had it since the daemon began.

    Attributes:
        hits: How often its line was reached: what was recorded, and what was skipped.
        recorded: Rows.
        lost: Rows that never came or could not be kept.
        skipped: Hits that made no row, by reason.
    """

    hits: int
    recorded: int
    lost: int
    skipped: dict[str, int]


class _Past(NamedTuple):
    """What was counted by who doesn't count any more."""

    hits: int = 0
    recorded: int = 0
    skipped: dict[str, int] = {}  # noqa: RUF012 - a default that nobody writes to

    def plus(self, status: ProbeStatus) -> _Past:
        skipped = dict(self.skipped)
        for reason, count in status.skipped.items():
            skipped[reason] = skipped.get(reason, 0) + count
        return _Past(self.hits + status.hits, self.recorded + status.recorded, skipped)


class Tally:
    """The last status of each (node, probe), and the counts of those that are over."""

    def __init__(self) -> None:
        self._current: dict[str, dict[int, ProbeStatus]] = {}
        self._past: dict[str, _Past] = {}
        self._last: dict[str, tuple[int, ProbeStatus]] = {}
        self._lost: dict[str, int] = {}

    def report(self, node: int, statuses: list[ProbeStatus]) -> list[str]:
        """A node's word on all of its probes; the ids of those whose state is another now."""
        changed = []
        reported = set()
        for status in statuses:
            reported.add(status.probe_id)
            of_probe = self._current.setdefault(status.probe_id, {})
            before = of_probe.get(node)
            if before is None or _news(before) != _news(status):
                changed.append(status.probe_id)
            if before is not None and status.hits < before.hits:
                self._bury(before)
            of_probe[node] = status
        for probe_id, of_probe in self._current.items():
            if node in of_probe and probe_id not in reported:
                self._bury(of_probe.pop(node))
        return changed

    def forget_node(self, node: int) -> None:
        """The node is gone; what it counted stays."""
        for probe_id, of_probe in self._current.items():
            status = of_probe.pop(node, None)
            if status is not None:
                self._bury(status)
                self._last[probe_id] = node, status

    def forget_probe(self, probe_id: str) -> None:
        self._current.pop(probe_id, None)
        self._past.pop(probe_id, None)
        self._last.pop(probe_id, None)
        self._lost.pop(probe_id, None)

    def add_lost(self, probe_id: str, count: int) -> None:
        self._lost[probe_id] = self._lost.get(probe_id, 0) + count

    def of_probe(self, probe_id: str) -> dict[int, ProbeStatus]:
        """By node key."""
        return self._current.get(probe_id, {})

    def last_of(self, probe_id: str) -> tuple[int, ProbeStatus] | None:
        """How it fared at the end of the last node that is gone, and that node's key."""
        return self._last.get(probe_id)

    def of_node(self, node: int) -> list[ProbeStatus]:
        return [each[node] for each in self._current.values() if node in each]

    def totals(self, probe_id: str) -> Totals:
        total = self._past.get(probe_id, _Past())
        for status in self.of_probe(probe_id).values():
            total = total.plus(status)
        return Totals(total.hits, total.recorded, self._lost.get(probe_id, 0), total.skipped)

    def _bury(self, status: ProbeStatus) -> None:
        self._past[status.probe_id] = self._past.get(status.probe_id, _Past()).plus(status)


def _news(status: ProbeStatus) -> tuple[object, ...]:
    """What of a status is worth telling at once: not its counts."""
    return status.state, status.engine, status.why, status.sites, status.differs, status.error
