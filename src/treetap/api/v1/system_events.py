"""``/api/v1/system_events``: the journal, as Detrix's system events; to be read, and acknowledged.

Detrix has these for its tools alone: its command for them asks a route that isn't there.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta
from starlette.routing import Route

from treetap.api.answer import bad_query, json_answer
from treetap.api.v1.connections import Connections, node_connection_id
from treetap.api.v1.event import metric_id
from treetap.api.v1.reading import MAX_INT, body_as, moment_ns, number, switch
from treetap.daemon.journal import Kind
from treetap.store.journal import MAX_PAGE_ENTRIES, JournalEntry, JournalFilter

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from treetap.daemon import Daemon

_DEFAULT_LIMIT = 100
_KEY = re.compile(r"-([0-9a-f]{16})\Z")

#: ``eventType`` of each kind. ``metric_updated`` and ``metric_expired`` are ours.
EVENT_TYPES = {
    Kind.PROBE_ADDED: "metric_added",
    Kind.PROBE_REMOVED: "metric_removed",
    Kind.PROBE_TOGGLED: "metric_toggled",
    Kind.PROBE_CHANGED: "metric_updated",
    Kind.PROBE_EXPIRED: "metric_expired",
    Kind.NODE_CONNECTED: "connection_created",
    Kind.NODE_RESTORED: "connection_restored",
    Kind.NODE_CLOSED: "connection_closed",
    Kind.NODE_LOST: "connection_lost",
    Kind.CONFIG_CHANGED: "config_updated",
    Kind.CONFIG_REFUSED: "config_validation_failed",
    Kind.REQUEST_REFUSED: "authentication_failed",
}
_KINDS = {event_type: kind for kind, event_type in EVENT_TYPES.items()}
#: What Detrix tells of and doesn't happen here; asking for them finds nothing.
NEVER = frozenset(
    {
        "metric_relocated",
        "metric_orphaned",
        "debugger_crash",
        "api_call_executed",
        "api_call_failed",
        "expression_validated",
    }
)


class Acknowledged(msgspec.Struct, rename="camel"):
    """Of ``POST /api/v1/system_events/acknowledge``."""

    event_ids: list[Annotated[int, Meta(ge=0, le=MAX_INT)]]


def routes(daemon: Daemon) -> list[Route]:
    async def query(request: Request) -> Response:
        """Newest first; all filters that are given have to match."""
        given = request.query_params
        limit = min(number(given, "limit", _DEFAULT_LIMIT), MAX_PAGE_ENTRIES)
        types = [each for each in given.get("eventTypes", "").split(",") if each]
        kinds = _kinds(types)
        connection = given.get("connectionId", "")
        wanted = JournalFilter(
            since_ns=moment_ns(given, "since"),
            kinds=kinds,
            node=_node_key(daemon, connection) if connection else None,
            is_open=bool(switch(given, "unacknowledgedOnly")),
        )
        entries: list[JournalEntry] = []
        if limit and (kinds or not types):
            entries = await asyncio.to_thread(daemon.journal.table.entries, wanted, limit=limit)
        names = Connections(daemon).of_nodes()
        return json_answer([_system_event(daemon, names, entry) for entry in entries])

    async def acknowledge(request: Request) -> Response:
        """Say that somebody knows of them; unknown ids are left out of the count."""
        asked = await body_as(request, Acknowledged)
        count = await asyncio.wrap_future(
            daemon.journal.table.acknowledge(asked.event_ids[:10_000])
        )
        return json_answer({"acknowledged": count})

    path = "/api/v1/system_events"
    return [
        Route(path, query, methods=["GET"]),
        Route(f"{path}/acknowledge", acknowledge, methods=["POST"]),
    ]


def _kinds(types: list[str]) -> tuple[str, ...]:
    for each in types:
        if each not in _KINDS and each not in NEVER:
            raise bad_query("eventTypes", each[:80], f"some of {', '.join(sorted(_KINDS))}")
    return tuple(_KINDS[each] for each in types if each in _KINDS)


def _node_key(daemon: Daemon, connection: str) -> int:
    """The key of its process. The id of a node that is long gone still has it in it."""
    known = {each.id: each.node_key for each in Connections(daemon).all()}
    if connection in known:
        return known[connection]
    found = _KEY.search(connection)
    return int(found[1], 16) & MAX_INT if found else -1


def _system_event(daemon: Daemon, names: dict[int, str], entry: JournalEntry) -> dict[str, Any]:
    record = daemon.registry.record_of(f"p{entry.probe}") if entry.probe else None
    connection = None
    if entry.node:
        named = str(entry.details.get("name", ""))
        target = daemon.targets.of_node(entry.node)
        connection = (
            names.get(entry.node)
            or (target.id if target is not None else "")
            or node_connection_id(named, entry.node)
        )
    is_probe = entry.kind.startswith("probe-")
    return {
        "id": entry.id,
        "eventType": EVENT_TYPES.get(entry.kind, entry.kind),
        "timestamp": entry.time_ns // 1000,
        "connectionId": connection,
        "metricId": (metric_id(record) if record else entry.probe) if entry.probe else None,
        "metricName": entry.details.get("probe_name") if is_probe else None,
        "details": entry.details,
        "acknowledged": entry.is_acknowledged,
        "actor": entry.actor or None,
        "resource": entry.details.get("path"),
        "oldValue": None,
        "newValue": None,
    }
