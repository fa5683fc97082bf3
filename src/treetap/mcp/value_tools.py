"""The tool that reads values."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf
from typing import Any

from treetap.mcp import words
from treetap.mcp.metric_tools import metric_of
from treetap.mcp.plain import plain, snapshot
from treetap.mcp.services import Refusal, Services, part
from treetap.model.captured import KIND


async def query_metrics(
    on: Services,
    name: words.MetricName | None = None,
    group: words.Group | None = None,
    limit: words.Limit = 50,
    where: words.Where = None,
    since: words.Since = None,
    until: words.Until = None,
    format: words.Format = "json",  # noqa: A002 - the parameter's name
) -> dict[str, Any]:
    """The values that were taken, newest first: of one metric, of a group, or of all."""
    chosen: dict[str, Any] = {"where": where, "since": since, "until": until}
    if name is not None:
        probe = await _probe(on, name)
        return {"values": await values(on, probe=probe, limit=limit, **chosen)}
    if group is None:
        return {"values": await values(on, limit=limit, **chosen)}
    members = await on.get(f"/api/v1/groups/{part(group)}/metrics")
    if not members:
        raise Refusal("group-unknown", f"No metric is in the group {group!r}.", "See list_groups.")
    found = [
        value
        for member in members
        for value in await values(on, probe=str(member["probeId"]), limit=limit, **chosen)
    ]
    found.sort(key=lambda value: str(value["time"]), reverse=True)
    return {"values": found[:limit]}


async def _probe(on: Services, name: str) -> str:
    """The probe that a metric is now; of a metric that was removed its name, for its values are kept."""
    try:
        return str((await metric_of(on, name))["probeId"])
    except Refusal as exc:
        if exc.code != "metric-unknown":
            raise
        on.daemon.registry.numbers_of(name)  # raises, if there never was one
        return name


async def values(
    on: Services, *, limit: int, probe: str | None = None, **chosen: Any
) -> list[dict[str, Any]]:
    """The newest values, each with its time and process; what was lost is told among them.

    Args:
        on: The services.
        limit: At most so many.
        probe: Id of a probe, or the name of one that may be removed by now.
        chosen: ``where``, ``since``, ``until``.
    """
    page = await on.get("/api/v2/events", probe=probe, limit=limit, **chosen)
    return [_told(on, event) for event in page["events"]]


def _told(on: Services, event: dict[str, Any]) -> dict[str, Any]:
    record = on.daemon.registry.record_of(event["probe"])
    notes = record.notes if record is not None else {}
    moment = datetime.fromtimestamp(event["time_ns"] / 1e9, UTC)
    told = {
        "time": moment.isoformat(timespec="microseconds"),
        "metric": notes.get("name") or event["probe_name"] or event["probe"],
        "process": event["name"],
        "pid": event["pid"],
    }
    if event["kind"] == "loss":
        return {**told, "lost": event["lost"], "where": event["where"]}
    values: dict[str, Any] = {}
    for name, captured in event["values"].items():
        if isinstance(captured, dict) and captured.get(KIND) == "snapshot":
            told |= _snapshot(captured, notes, event["time_ns"] / 1e9)
        else:
            values[name] = plain(captured)
    return {**told, "values": values}


def _snapshot(captured: dict[str, Any], notes: dict[str, Any], time_s: float) -> dict[str, Any]:
    """As much of it as its metric asked for, in the notes that ``/api/v1`` reads, too."""
    frames = notes.get("stack_slice")
    return snapshot(
        captured,
        shows_stack=notes.get("shows_stack", True) and time_s < notes.get("stack_until", inf),
        shows_locals=notes.get("shows_locals", True) and time_s < notes.get("locals_until", inf),
        stack_slice=None if frames is None else (frames[0], frames[1]),
    )
