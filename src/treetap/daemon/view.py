"""Nodes, probes, trees and the daemon itself, as the API shows them."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from treetap.daemon import tree
from treetap.wire.message import PROTOCOL

if TYPE_CHECKING:
    from treetap.daemon.daemon import Daemon
    from treetap.daemon.record import ProbeRecord
    from treetap.daemon.roster import NodeEntry
    from treetap.model.status import ProbeStatus


def node_view(daemon: Daemon, entry: NodeEntry) -> dict[str, Any]:
    """A node with the statuses of its probes."""
    statuses = [status.to_dict() for status in daemon.tally.of_node(entry.key)]
    return {**entry.to_dict(), "probes": statuses}


def probe_view(daemon: Daemon, record: ProbeRecord) -> dict[str, Any]:
    """A probe with how it fares in each node."""
    probe = record.probe
    statuses = daemon.tally.of_probe(probe.id).items()
    last = daemon.tally.last_of(probe.id)
    return {
        "id": probe.id,
        "name": probe.name,
        "location": str(probe.location),
        "expressions": list(probe.expressions),
        "snapshot": probe.snapshot,
        "condition": probe.condition,
        "mode": probe.mode,
        "rate": probe.rate,
        "max_hits": probe.max_hits,
        "safety": probe.safety,
        "allow_calls": probe.allow_calls,
        "limits": probe.limits._asdict(),
        "budget_percent": probe.budget_percent,
        "target": probe.target._asdict(),
        "group": record.group,
        "language": record.language,
        "is_enabled": probe.is_enabled,
        "is_expired": record.is_expired(time.time()),
        "created_at": record.created_at_s,
        "expires_at": probe.expires_at_s or None,
        "ttl_s": record.ttl_s,
        **daemon.tally.totals(probe.id)._asdict(),
        "nodes": [shown for status in statuses if (shown := _in_node(daemon, *status))],
        "last_node": _in_node(daemon, *last) if last is not None else None,
    }


def _in_node(daemon: Daemon, key: int, status: ProbeStatus) -> dict[str, Any] | None:
    """How a probe fares, or fared, in one node; ``None`` if the node isn't known any more."""
    entry = daemon.roster.get(key)
    if entry is None:
        return None
    node = entry.identity
    about = {"node": node.id, "pid": node.pid, "name": node.name, "tree": node.tree}
    return {**about, **status.to_dict()}


def trees_view(daemon: Daemon) -> list[dict[str, Any]]:
    """The trees that are awake, and those of connected nodes."""
    nodes_of: dict[str, int] = dict.fromkeys(daemon.trees.awake, 0)
    for entry in daemon.roster.connected():
        nodes_of[entry.identity.tree] = nodes_of.get(entry.identity.tree, 0) + 1
    awake = set(daemon.trees.awake)
    return [
        {
            "id": each,
            "root_pid": tree.root_pid(each),
            "awake": each in awake,
            "nodes": count,
        }
        for each, count in nodes_of.items()
    ]


def status_view(daemon: Daemon, version: str) -> dict[str, Any]:
    """The daemon itself. Reads the store: not for the loop's own thread."""
    return {
        "version": version,
        "protocol": PROTOCOL,
        "pid": os.getpid(),
        "url": daemon.url,
        "link": daemon.link.endpoint,
        "started_at": daemon.started_at_s,
        "uptime_s": time.time() - daemon.started_at_s,
        "nodes": len(daemon.roster.connected()),
        "probes": len(daemon.registry.all()),
        "listeners": daemon.feed.listener_count,
        "rows": daemon.ingest.rows,
        "lost_rows": daemon.ingest.lost_rows,
        "unplaced_rows": daemon.ingest.unplaced_rows,
        "store": daemon.store.numbers(),
    }
