"""Events that are kept: newest first, by page, of a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from treetap.api.v1.connections import node_connection_id
from treetap.api.v1.event import Named, error_of, metric_event, names_of, values_of
from treetap.api.v1.metrics import unknown_metric
from treetap.daemon.event_form import StoredEvents
from treetap.store import EventFilter
from treetap.store.query import MAX_PAGE_EVENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treetap.api.v1.connections import Connections
    from treetap.api.v1.metrics import Metrics
    from treetap.daemon import Daemon


class Naming:
    """Says of whom an event is: looks up each connection and each probe once.

    For one answer, or for a moment of a stream: what comes and goes isn't seen.
    """

    def __init__(self, daemon: Daemon, connections: Connections) -> None:
        self._daemon = daemon
        self._of_nodes = connections.of_nodes()
        self._named: dict[tuple[str, str], Named] = {}

    def of(self, event: dict[str, Any], node: int) -> Named:
        """Args:
        event: As ``/api/v2`` has it.
        node: Key of its node.
        """
        place = (event["probe"], event["node"])
        if place not in self._named:
            self._named[place] = self._find(event, node)
        return self._named[place]

    def _find(self, event: dict[str, Any], node: int) -> Named:
        record = self._daemon.registry.record_of(event["probe"])
        noted = str(record.notes.get("connection", "")) if record is not None else ""
        connection = self._of_nodes.get(node) or noted or node_connection_id(event["name"], node)
        if record is None:
            return Named(int(event["probe"][1:]), event["probe_name"] or event["probe"], connection)
        return names_of(record, connection)


class History:
    """Args:
    daemon: Whose.
    connections, metrics: Of the same.
    """

    def __init__(self, daemon: Daemon, connections: Connections, metrics: Metrics) -> None:
        self._daemon = daemon
        self._connections = connections
        self._metrics = metrics

    async def events(
        self,
        numbers: Sequence[int] | None = None,
        *,
        limit: int = 100,
        offset: int = 0,
        since_ns: int = 0,
        until_ns: int = 0,
    ) -> list[dict[str, Any]]:
        """``MetricEvent`` of each, newest first.

        Args:
            numbers: Of probes; ``None`` for all.
            limit: At most so many; more than ``MAX_PAGE_EVENTS`` are never given at once.
            offset: Leave out so many.
            since_ns: First moment; 0 for none.
            until_ns: First moment that is too late; 0 for none.
        """
        if not limit:
            return []
        page = await asyncio.to_thread(
            self._daemon.store.events,
            self._filter(numbers, since_ns, until_ns),
            limit=min(limit, MAX_PAGE_EVENTS),
            skip=offset,
        )
        form, naming = StoredEvents(), Naming(self._daemon, self._connections)
        found = []
        for row in page.events:
            event = form.event(row)
            found.append(metric_event(event, naming.of(event, row["node"])))
        return found

    async def of_metric(self, metric: int, **page: Any) -> dict[str, Any]:
        """``GET /api/v1/metrics/{id}/history``.

        Raises:
            ProbeError: There is no such metric (slug ``metric-unknown``).
        """
        form = await self._metrics.form(self._metrics.find(metric))
        numbers = self._metrics.numbers_of(form["metricId"])
        events = await self.events(numbers, **page)
        wanted = self._filter(numbers, page.get("since_ns", 0), page.get("until_ns", 0))
        count = await asyncio.to_thread(self._daemon.store.count, wanted)
        return {
            "metricId": form["metricId"],
            "metricName": form["name"],
            "events": events,
            "totalCount": count,
            "hasMore": page.get("offset", 0) + len(events) < count,
        }

    async def value(self, metric: int) -> dict[str, Any]:
        """``GET /api/v1/metrics/{id}/value``: the first value of the newest event.

        Raises:
            ProbeError: There is no such metric, or no event yet (slug ``metric-unknown``).
        """
        record = self._metrics.find(metric)
        named = names_of(record, "")
        numbers = self._metrics.numbers_of(named.metric)
        page = await asyncio.to_thread(
            self._daemon.store.events, self._filter(numbers, 0, 0), limit=1
        )
        if not page.events:
            raise unknown_metric(f"No value for metric {metric} yet")
        event = StoredEvents().event(page.events[0])
        values, error = [value for _, value in values_of(event)], error_of(event)
        return {
            "metricId": named.metric,
            "metricName": named.name,
            "value": values[0].plain if values else error and error["errorMessage"],
            "timestamp": event["time_ns"] // 1000,
            "isError": error is not None,
        }

    @staticmethod
    def _filter(numbers: Sequence[int] | None, since_ns: int, until_ns: int) -> EventFilter:
        return EventFilter(
            probes=None if numbers is None else tuple(numbers),
            since_ns=since_ns,
            until_ns=until_ns,
            only_hits=True,
        )
