"""Metrics made, changed and removed.

Names are unique in a connection; a probe whose name is taken elsewhere is given a longer one. Where
expressions change another probe takes over, for the events so far are the old one's.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from treetap.api.v1 import metric_request
from treetap.api.v1.event import metric_id, metric_name
from treetap.api.v1.metric import hit_count, state_of
from treetap.api.v1.place import armed_line
from treetap.api.v1.settling import settle
from treetap.daemon.record import number_of
from treetap.errors import ProbeError, TargetError
from treetap.model.status import ProbeState

if TYPE_CHECKING:
    from treetap.api.v1.connections import Connection, Connections
    from treetap.api.v1.metric_request import MetricChange, NewMetric
    from treetap.api.v1.metrics import Metrics
    from treetap.daemon import Daemon
    from treetap.daemon.record import ProbeRecord

#: What is compared to tell whether a metric is asked for a second time.
_SAME_FIELDS = (
    "location",
    "expressions",
    "snapshot",
    "condition",
    "mode",
    "rate",
    "max_hits",
    "safety",
)


class MetricEditor:
    """Args:
    daemon: Whose.
    connections: Of the same.
    metrics: As they are.
    """

    def __init__(self, daemon: Daemon, connections: Connections, metrics: Metrics) -> None:
        self._daemon = daemon
        self._connections = connections
        self._metrics = metrics
        # Protects what lies between looking a name up and having taken it.
        self._lock = asyncio.Lock()

    async def create(self, asked: NewMetric) -> dict[str, Any]:
        """The answer to ``POST /api/v1/metrics``.

        Raises:
            ProbeError, LocationError, ExpressionError, TargetError, DaemonError: What can't be done.
        """
        connection = self._connection(asked.connection_id)
        metric_request.check_name(asked.name)
        async with self._lock:
            record, status, warnings = await self._made(asked, connection)
        return await self._told(record, status, warnings)

    async def change(self, metric: int, asked: MetricChange) -> dict[str, Any]:
        """The answer to ``PUT``: the metric as it is then; raises as ``create``."""
        async with self._lock:
            changed = await self._changed(self._metrics.find(metric), asked)
        await settle(self._daemon, [changed])
        return await self._metrics.form(changed)

    async def remove(self, metric: int) -> None:
        await self._daemon.registry.remove(self._metrics.find(metric).probe.id)

    async def set_enabled(self, metric: int, *, is_enabled: bool) -> dict[str, Any]:
        """The answer to ``enable`` and ``disable``."""
        record = await self._daemon.registry.set_enabled(
            self._metrics.find(metric).probe.id, is_enabled=is_enabled
        )
        is_settled = await settle(self._daemon, [record])
        state, reason = state_of(self._daemon, record)
        statuses = list(self._daemon.tally.of_probe(record.probe.id).values())
        is_armed = any(status.state == ProbeState.ARMED for status in statuses)
        message = f"{state}: {reason}" if reason else state
        return {
            "metricId": metric_id(record),
            "name": metric_name(record),
            "enabled": record.is_wanted(time.time()),
            "storageUpdated": True,
            "dapConfirmed": is_armed if is_enabled else is_settled,
            "actualLine": (armed_line(statuses) if is_enabled else None)
            or record.probe.location.line
            or None,
            "dapMessage": None if is_armed is is_enabled else message,
            "metadata": None,
            "status": "enabled" if is_enabled else "disabled",
        }

    async def _made(
        self, asked: NewMetric, connection: Connection
    ) -> tuple[ProbeRecord, str, list[str]]:
        """The metric, whether it is ``created`` or ``exists``, and what is to be told of it."""
        fields = metric_request.fields_of_new(asked, connection)
        notes = metric_request.notes_of_new(asked, connection, time.time())
        warnings = metric_request.warnings_of_new(asked)
        _check_safe_mode(connection, fields)
        mine = [r for r in self._daemon.registry.all() if self._is_of(r, connection)]
        namesake = next((r for r in mine if metric_name(r) == asked.name), None)
        if namesake is not None and not asked.replace:
            if not _is_same(namesake, fields):
                raise _taken(namesake)
            if namesake.probe.is_enabled != asked.enabled:
                namesake = await self._daemon.registry.set_enabled(
                    namesake.probe.id, is_enabled=asked.enabled
                )
            return namesake, "exists", [*warnings, "It was there already."]
        replaced = [namesake] if namesake is not None else []
        if asked.replace:
            replaced += [
                record
                for record in mine
                if record is not namesake and str(record.probe.location) == fields["location"]
            ]
        record = await self._put(asked.name, fields, notes, replaced)
        warnings += [f"Replaced metric {metric_id(r)} ({metric_name(r)})." for r in replaced]
        return record, "created", warnings

    async def _changed(self, record: ProbeRecord, asked: MetricChange) -> ProbeRecord:
        fields = metric_request.fields_of_takes(asked, record.probe.mode)
        notes = dict(record.notes)
        if asked.enabled is not None:
            fields["is_enabled"] = asked.enabled
        if asked.name is not None and asked.name != metric_name(record):
            metric_request.check_name(asked.name)
            self._check_free(asked.name, record)
            notes["name"] = asked.name
            fields["name"] = self._free_name(asked.name, record)
        registry, probe = self._daemon.registry, record.probe
        expressions = asked.expressions
        if expressions is not None and tuple(expressions) != probe.expressions:
            old = metric_request.fields_of_record(record, time.time())
            notes["metric"] = metric_id(record)
            notes["created_at_s"] = notes.get("created_at_s", record.created_at_s)
            notes["hits_before"] = hit_count(self._daemon, record)
            return await registry.succeed(
                probe.id, {**old, **fields, "expressions": expressions}, notes=notes
            )
        changed = await registry.change(probe.id, fields, notes=notes)
        if asked.enabled and changed.is_expired(time.time()):
            return await registry.set_enabled(probe.id, is_enabled=True)
        return changed

    def _connection(self, connection_id: str) -> Connection:
        for connection in self._connections.all():
            if connection.id == connection_id:
                return connection
        # Detrix's words; the id is the caller's own.
        raise ProbeError(
            "Connection not found",
            "See them with: GET /api/v1/connections.",
            slug="connection-unknown",
        )

    async def _told(self, record: ProbeRecord, status: str, warnings: list[str]) -> dict[str, Any]:
        if record.probe.is_enabled:
            await settle(self._daemon, [record])
            state, reason = state_of(self._daemon, record)
            if state not in (ProbeState.ARMED, ProbeState.DONE):
                warnings = [*warnings, f"Not armed yet: {reason or state}"]
            warnings = [*warnings, *self._move(record)]
        answer = {
            "metricId": metric_id(record),
            "name": metric_name(record),
            "status": status,
            "metric": await self._metrics.form(record),
        }
        return {**answer, "warnings": warnings} if warnings else answer

    def _move(self, record: ProbeRecord) -> list[str]:
        """That an adapter took another line, if it did."""
        asked = record.probe.location.line
        line = armed_line(self._daemon.tally.of_probe(record.probe.id).values())
        if line is None or line == asked:
            return []
        return [f"Line {asked} holds no code; the adapter observes line {line} in its place."]

    async def _put(
        self,
        name: str,
        fields: dict[str, Any],
        notes: dict[str, Any],
        replaced: list[ProbeRecord],
    ) -> ProbeRecord:
        registry = self._daemon.registry
        if replaced:
            fields = {**fields, "name": self._free_name(name, replaced[0])}
            record = await registry.succeed(replaced[0].probe.id, fields, notes=notes)
            # Not before it is known that the new one is good.
            for other in replaced[1:]:
                await registry.remove(other.probe.id)
            return record
        while True:
            try:
                fields = {**fields, "name": self._free_name(name, None)}
                return await registry.add(fields, notes=notes)
            except ProbeError as exc:
                # Somebody took it a moment ago.
                if exc.slug != "probe-exists":
                    raise

    def _free_name(self, name: str, of: ProbeRecord | None) -> str:
        """A name for a probe, the metric's own if nobody else has it."""
        taken = {r.probe.name for r in self._daemon.registry.all() if r is not of}
        candidate, number = name, 1
        while candidate in taken or number_of(candidate):
            number += 1
            candidate = f"{name[:240]}-{number}"
        return candidate

    def _is_of(self, record: ProbeRecord, connection: Connection) -> bool:
        return self._metrics.owner(record, [connection]) == connection.id

    def _check_free(self, name: str, record: ProbeRecord) -> None:
        owners = self._metrics.owners()
        mine = self._metrics.owner(record, owners)
        for other in self._daemon.registry.all():
            if (
                other is not record
                and metric_name(other) == name
                and self._metrics.owner(other, owners) == mine
            ):
                raise _taken(other)


def _is_same(record: ProbeRecord, fields: dict[str, Any]) -> bool:
    old = metric_request.fields_of_record(record, time.time())
    return all(fields[name] == old[name] for name in _SAME_FIELDS)


def _check_safe_mode(connection: Connection, fields: dict[str, Any]) -> None:
    if connection.is_safe_mode and fields["snapshot"]:
        raise TargetError(
            f"Connection {connection.id} is in safe mode: no stack and no memory is taken from it.",
            "Name the values as expressions, or register it without safeMode.",
            slug="target-safe-mode",
        )


def _taken(record: ProbeRecord) -> ProbeError:
    return ProbeError(
        f"Metric {metric_name(record)!r} exists already: {metric_id(record)}, at "
        f"{record.probe.location}",
        "Take another name, or say replace: true.",
        slug="metric-exists",
    )
