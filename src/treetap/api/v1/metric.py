"""A probe as ``MetricInfo``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from treetap.api.v1.event import metric_id, metric_name
from treetap.api.v1.place import place_of
from treetap.api.v1.settling import is_for
from treetap.model.status import ProbeState

if TYPE_CHECKING:
    from treetap.daemon import Daemon
    from treetap.daemon.record import ProbeRecord

#: Of a probe that fares differently in several processes, the state that says most.
_ORDER = (
    ProbeState.FAILED,
    ProbeState.TRIPPED,
    ProbeState.ARMED,
    ProbeState.DONE,
    ProbeState.EXPIRED,
    ProbeState.PENDING,
)


def metric_form(
    daemon: Daemon, record: ProbeRecord, connection: str, last_hit_ns: int
) -> dict[str, Any]:
    """``MetricInfo``; behind Detrix's keys those that Detrix doesn't show.

    Args:
        daemon: Whose.
        record: The probe.
        connection: ``connectionId``; ``""`` for a probe of every process.
        last_hit_ns: 0 for never.
    """
    probe, notes = record.probe, record.notes
    statuses = list(daemon.tally.of_probe(probe.id).values())
    state, reason = state_of(daemon, record)
    totals = daemon.tally.totals(probe.id)
    return {
        "metricId": metric_id(record),
        "name": metric_name(record),
        "group": record.group or None,
        "location": place_of(str(probe.location), statuses),
        "expressions": list(probe.expressions),
        "language": record.language,
        "enabled": record.is_wanted(time.time()),
        "mode": {"mode": mode_form(probe.mode, probe.rate)},
        "createdAt": int(notes.get("created_at_s", record.created_at_s) * 1e6),
        "hitCount": hit_count(daemon, record),
        "lastHitAt": last_hit_ns // 1000 or None,
        "connectionId": connection,
        "captureStackTrace": probe.snapshot and bool(notes.get("shows_stack", True)),
        "captureMemorySnapshot": probe.snapshot and bool(notes.get("shows_locals", True)),
        "condition": probe.condition or None,
        "safetyLevel": probe.safety,
        "maxHits": probe.max_hits or None,
        "expiresAt": int(probe.expires_at_s * 1e6) or None,
        "recordedCount": totals.recorded,
        "lostCount": totals.lost,
        "state": state,
        "stateReason": reason or None,
        "probeId": probe.id,
    }


def mode_form(mode: str, rate: float) -> dict[str, Any]:
    """``{"sample": {"rate": 10}}`` and the like."""
    match mode:
        case "sample":
            return {"sample": {"rate": int(rate)}}
        case "sample_interval":
            return {"sampleInterval": {"seconds": _short(rate)}}
        case "throttle":
            return {"throttle": {"maxPerSecond": _short(rate)}}
    return {mode: {}}


def hit_count(daemon: Daemon, record: ProbeRecord) -> int:
    """How often its line was reached, since the daemon began; also in the metric's earlier form.

    Nodes report each second; rows come at once, and are as many at least.
    """
    hits = daemon.tally.totals(record.probe.id).hits
    rows = daemon.ingest.ledger.rows_of(record.number)
    return int(record.notes.get("hits_before", 0)) + max(hits, rows)


def state_of(daemon: Daemon, record: ProbeRecord) -> tuple[str, str]:
    """How it fares, in a word, and why."""
    if not record.probe.is_enabled:
        return "disabled", ""
    if record.is_expired(time.time()):
        return ProbeState.EXPIRED, "its time to live is over"
    statuses = daemon.tally.of_probe(record.probe.id).values()
    for state in _ORDER:
        for status in statuses:
            if status.state == state:
                return state, " ".join(status.error[1:]) or status.why
    if any(is_for(daemon, record, entry.identity) for entry in daemon.roster.connected()):
        return ProbeState.PENDING, "its process hasn't said yet what became of it"
    return "nowhere", "no process that it is for is connected"


def _short(number: float) -> float | int:
    return int(number) if number == int(number) else number
