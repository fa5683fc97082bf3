"""Metrics: probes, as this face has them.

A metric's id is its probe's number. It stays when its expressions change, for which another probe
takes over (`metric_editing`).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from treetap.api.v1.event import metric_id, metric_name
from treetap.api.v1.metric import metric_form
from treetap.errors import ProbeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treetap.api.v1.connections import Connection, Connections
    from treetap.daemon import Daemon
    from treetap.daemon.record import ProbeRecord

#: A page of metrics has so many at most, as Detrix's.
MAX_PAGE = 1000


class Metrics:
    """Args:
    daemon: Whose.
    connections: Of the same.
    """

    def __init__(self, daemon: Daemon, connections: Connections) -> None:
        self._daemon = daemon
        self._connections = connections

    def find(self, metric: int) -> ProbeRecord:
        """By its id, or by the number of the probe that it is now.

        Raises:
            ProbeError: There is none (slug ``metric-unknown``).
        """
        for record in self._daemon.registry.all():
            if metric in (metric_id(record), record.number):
                return record
        raise unknown_metric(f"Metric {metric} not found")

    def numbers_of(self, metric: int) -> tuple[int, ...]:
        """Numbers of the probes that are or were this metric; empty if there never was one."""
        return tuple(r.number for r in self._daemon.registry.known() if metric_id(r) == metric)

    def numbers_named(self, name: str) -> tuple[int, ...]:
        """The same, of all metrics with a name, removed ones too.

        Raises:
            ProbeError: There never was one (slug ``metric-unknown``).
        """
        known = self._daemon.registry.known()
        numbers = tuple(r.number for r in known if name in (metric_name(r), r.probe.name))
        if not numbers:
            raise unknown_metric(f"Metric {name[:200]} not found")
        return numbers

    async def page(
        self, connection: str = "", enabled: bool | None = None, limit: int = 100, offset: int = 0
    ) -> dict[str, Any]:
        """Newest first."""
        limit = min(limit, MAX_PAGE)
        owners = self.owners()
        now_s = time.time()
        found = [
            record
            for record in reversed(self._daemon.registry.all())
            if enabled in (None, record.is_wanted(now_s))
            and (not connection or self.owner(record, owners) == connection)
        ]
        forms = await self.forms(found[offset : offset + limit])
        return {"metrics": forms, "total": len(found), "limit": limit, "offset": offset}

    async def form(self, record: ProbeRecord) -> dict[str, Any]:
        """``MetricInfo``."""
        return (await self.forms([record]))[0]

    async def forms(self, records: Sequence[ProbeRecord]) -> list[dict[str, Any]]:
        chains: dict[int, list[int]] = {metric_id(record): [] for record in records}
        for known in self._daemon.registry.known():
            if metric_id(known) in chains:
                chains[metric_id(known)].append(known.number)
        numbers = [number for chain in chains.values() for number in chain]
        last_ns = await asyncio.to_thread(self._daemon.store.last_hits_ns, numbers)
        owners = self.owners()
        return [
            metric_form(
                self._daemon,
                record,
                self.owner(record, owners),
                max((last_ns.get(number, 0) for number in chains[metric_id(record)]), default=0),
            )
            for record in records
        ]

    def owners(self) -> list[Connection]:
        """What ``owner`` looks at; to be asked for once, for many metrics."""
        return self._connections.all()

    def owner(self, record: ProbeRecord, connections: Sequence[Connection]) -> str:
        """``connectionId``: the one it was asked for; or the only one that it is for, if it is for one.

        ``""`` for a probe of every process.
        """
        noted = record.notes.get("connection")
        if noted:
            return str(noted)
        target = record.probe.target
        if not any(target):
            return ""
        found = [each.id for each in connections if each.probe_target == target]
        if not found and target.pid:
            found = [each.id for each in connections if each.pid == target.pid]
        return found[0] if len(found) == 1 else ""


def unknown_metric(what: str) -> ProbeError:
    return ProbeError(what, "See them with: GET /api/v1/metrics.", slug="metric-unknown")
