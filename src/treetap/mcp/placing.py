"""Puts a metric into the processes that it is for, and finds out what became of it there."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from treetap.daemon.record import notes_of_snapshot
from treetap.mcp.metric_tools import fared
from treetap.mcp.process_tools import woken
from treetap.mcp.services import Refusal, Services
from treetap.mcp.value_tools import values
from treetap.model.probe import Target
from treetap.model.status import ProbeState

if TYPE_CHECKING:
    from treetap.model.location import Location
    from treetap.model.node import NodeIdentity

#: A node answers within milliseconds; one that is busy in C code doesn't for a while.
_REPORT_TIMEOUT_S = 3.0
_POLL_S = 0.02
#: So many values are shown of those that were waited for.
_FIRST_VALUES = 10


class Wanted(NamedTuple):
    """A metric that somebody asks for.

    Attributes:
        rate: The mode's number; 0 where it has none.
        stack_slice: The innermost and outermost frames that are shown; ``None`` for all.
        stack_ttl_s, locals_ttl_s: Shown for so long only; 0 for always.
        connection: Of that one only; ``""`` for every process that runs the code.
        is_replacing: It takes the place of what is at its location.
    """

    location: Location
    name: str
    expressions: list[str]
    group: str
    is_enabled: bool
    mode: str
    rate: int
    condition: str
    max_hits: int
    ttl_s: int
    safety: str
    takes_stack: bool
    stack_slice: tuple[int, int] | None
    stack_ttl_s: int
    takes_locals: bool
    locals_ttl_s: int
    scope: str
    connection: str
    is_replacing: bool


async def place(on: Services, wanted: Wanted, *, is_waking: bool, wait_s: float) -> dict[str, Any]:
    """Add it, wake what runs the code, wait for its word, and for values if that is wanted.

    Raises:
        Refusal: It can't be armed in any process; then it is removed again.
        TreetapError: It makes no sense.
    """
    deadline_s = time.monotonic() + wait_s
    told = await (_add_to_connection(on, wanted) if wanted.connection else _add(on, wanted))
    probe = await on.get(f"/api/v2/probes/{told['probeId']}")
    failures: list[dict[str, Any]] = []
    if probe["is_enabled"]:
        target = Target(**probe["target"])
        if is_waking:
            failures = [each for each in await wake_for(on, target) if "error" in each]
        probe = await _reported(on, probe["id"], target, max(_REPORT_TIMEOUT_S, wait_s))
    nodes = probe["nodes"]
    if nodes and all(node["state"] == ProbeState.FAILED for node in nodes):
        if told["status"] == "created":
            await on.delete(f"/api/v2/probes/{probe['id']}")
        raise _hopeless(probe)
    told |= {
        "location": probe["location"],
        "expressions": probe["expressions"],
        "processes": fared(probe),
    }
    if failures:
        told["not_woken"] = failures
    if not nodes and probe["is_enabled"]:
        told["note"] = "No process is connected that it is for; it is armed as soon as one is."
    if wait_s:
        told["values"] = await _first_values(on, probe["id"], deadline_s)
    return told


async def wake_for(on: Services, target: Target) -> list[dict[str, Any]]:
    """Wake the sleeping processes of this machine that a metric is for."""
    linked = {entry.identity.id for entry in on.daemon.roster.connected()}
    asleep = [
        node
        for node in await on.daemon.nearby.all()
        if node.identity.id not in linked and _is_for(target, node.identity)
    ]
    return await woken(on, asleep) if asleep else []


async def _add(on: Services, wanted: Wanted) -> dict[str, Any]:
    """For every process, also those that come later."""
    registry = on.daemon.registry
    notes = notes_of_snapshot(
        time.time(),
        stack_ttl_s=wanted.stack_ttl_s,
        locals_ttl_s=wanted.locals_ttl_s,
        stack_slice=wanted.stack_slice,
        shows_stack=wanted.takes_stack,
        shows_locals=wanted.takes_locals,
    )
    fields = {
        "location": str(wanted.location),
        "name": wanted.name,
        "expressions": wanted.expressions,
        "group": wanted.group,
        "is_enabled": wanted.is_enabled,
        "mode": wanted.mode,
        "rate": wanted.rate,
        "condition": wanted.condition,
        "max_hits": wanted.max_hits,
        "ttl_s": wanted.ttl_s,
        "safety": wanted.safety,
        "snapshot": wanted.takes_stack or wanted.takes_locals,
    }
    there = [each for each in registry.all() if each.probe.location == wanted.location]
    if wanted.is_replacing and there:
        # What makes no sense takes nobody's place.
        record = await registry.succeed(there[0].probe.id, fields, notes=notes)
        for other in there[1:]:
            await registry.remove(other.probe.id)
    else:
        record = await registry.add(fields, notes=notes)
    told = {"metricId": record.number, "probeId": record.probe.id, "name": record.probe.name}
    return {**told, "status": "created"}


async def _add_to_connection(on: Services, wanted: Wanted) -> dict[str, Any]:
    """By the route that every client of Detrix's takes."""
    where = wanted.location
    if not where.line:
        raise Refusal("arguments", f"A connection takes lines only, not {where}.", "Give the line.")
    rates = {
        "sample": "sampleRate",
        "sample_interval": "sampleIntervalSeconds",
        "throttle": "maxPerSecond",
    }
    frames = wanted.stack_slice
    answer = await on.post(
        "/api/v1/metrics",
        {
            "name": wanted.name,
            "connectionId": wanted.connection,
            "location": {"file": where.file, "line": where.line},
            "expressions": wanted.expressions,
            "group": wanted.group or None,
            "enabled": wanted.is_enabled,
            "mode": wanted.mode,
            **({rates[wanted.mode]: wanted.rate} if wanted.mode in rates else {}),
            "condition": wanted.condition,
            "maxHits": wanted.max_hits,
            "ttlSeconds": wanted.ttl_s,
            "safetyLevel": wanted.safety,
            "captureStackTrace": wanted.takes_stack,
            "stackTraceTtl": wanted.stack_ttl_s,
            "stackTraceSlice": {"full": True} if frames is None else list(frames),
            "captureMemorySnapshot": wanted.takes_locals,
            "snapshotTtl": wanted.locals_ttl_s,
            "snapshotScope": wanted.scope,
            "replace": wanted.is_replacing,
        },
    )
    told = {
        name: answer[name] for name in ("metricId", "name", "status", "warnings") if name in answer
    }
    return {**told, "probeId": answer["metric"]["probeId"]}


async def _reported(
    on: Services, probe_id: str, target: Target, timeout_s: float
) -> dict[str, Any]:
    """The probe, once each connected process has said what became of it, or time is up."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        awaited = {
            entry.key for entry in on.daemon.roster.connected() if _is_for(target, entry.identity)
        }
        if awaited <= on.daemon.tally.of_probe(probe_id).keys() or time.monotonic() > deadline_s:
            return dict(await on.get(f"/api/v2/probes/{probe_id}"))
        await asyncio.sleep(_POLL_S)


async def _first_values(on: Services, probe_id: str, deadline_s: float) -> list[dict[str, Any]]:
    while True:
        found = await values(on, probe=probe_id, limit=_FIRST_VALUES)
        if found or time.monotonic() > deadline_s:
            return found
        await asyncio.sleep(min(0.1, max(0.0, deadline_s - time.monotonic())))


def _is_for(target: Target, who: NodeIdentity) -> bool:
    return target.matches(tree=who.tree, name=who.name, pid=who.pid)


def _hopeless(probe: dict[str, Any]) -> Refusal:
    reasons = dict.fromkeys(" ".join(filter(None, node["error"][1:])) for node in probe["nodes"])
    slug = probe["nodes"][0]["error"][:1]
    return Refusal(
        slug[0] if slug and len(reasons) == 1 else "probe-hopeless",
        f"{probe['location']} can't be observed in any process; nothing was added.",
        " ".join(reasons),
    )
