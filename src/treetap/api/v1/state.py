"""``/status`` and ``/api/v1/status``: the daemon in one object; never fails."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from treetap.api.answer import json_answer
from treetap.api.v1.connections import Connections
from treetap.errors import StoreError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from treetap.daemon import Daemon
    from treetap.daemon.usage import AgentClient


def routes(daemon: Daemon) -> list[Route]:
    async def status(_request: Request) -> Response:
        return json_answer(state_of(daemon, await store_numbers(daemon)))

    return [
        Route("/status", status, methods=["GET"]),
        Route("/api/v1/status", status, methods=["GET"]),
    ]


async def store_numbers(daemon: Daemon) -> dict[str, Any]:
    """The store's numbers; empty while it can't be read."""
    try:
        return await asyncio.to_thread(daemon.store.numbers)
    except StoreError:
        return {}


def state_of(daemon: Daemon, store: dict[str, Any]) -> dict[str, Any]:
    """Args:
    daemon: What is told of.
    store: ``store_numbers``.
    """
    now_s = time.time()
    connections = Connections(daemon).all()
    active = sum(each.is_connected for each in connections)
    probes = daemon.registry.all()
    uptime_s = max(0, int(now_s - daemon.started_at_s))
    state: dict[str, Any] = {
        "status": "active" if active else "idle",
        "uptimeSeconds": uptime_s,
        "uptimeFormatted": span_text(uptime_s),
        "startedAt": moment_text(daemon.started_at_s),
        "adapterConnected": active > 0,
        "activeMetrics": sum(record.is_wanted(now_s) for record in probes),
        "totalMetrics": len(probes),
        "totalEvents": store.get("events", 0),
        "activeConnections": active,
        "totalConnections": len(connections),
        "cpuUsagePercent": round(daemon.load.cpu_percent, 2),
        "memoryUsageBytes": daemon.load.memory_bytes,
        "daemon": {"pid": os.getpid(), "ppid": os.getppid()},
        "mcpClients": [_agent(client, now_s) for client in daemon.agents.all()],
    }
    if not store:
        state["degraded"] = ["events"]
    return state


def span_text(seconds: int) -> str:
    """``02:30:45``, or ``1d 02:30:45``."""
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    clock = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
    return f"{days}d {clock}" if days else clock


def moment_text(unix_s: float) -> str:
    """As ISO 8601, in UTC."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds")


def _agent(client: AgentClient, now_s: float) -> dict[str, Any]:
    parent = None
    if client.parent_pid or client.parent_name:
        parent = {
            "pid": client.parent_pid,
            "name": client.parent_name,
            "bridgePid": client.bridge_pid or None,
        }
    return {
        "id": client.id,
        "connectedAt": moment_text(client.connected_at_s),
        "connectedDurationSecs": max(0, int(now_s - client.connected_at_s)),
        "lastActivity": int(client.last_seen_at_s * 1e6),
        "lastActivityAgoSecs": max(0, int(now_s - client.last_seen_at_s)),
        "parentProcess": parent,
    }
