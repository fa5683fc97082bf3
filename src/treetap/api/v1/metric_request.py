"""What somebody asks of a metric, made into what the registry takes of a probe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from treetap.daemon.record import notes_of_snapshot
from treetap.errors import LocationError, ProbeError
from treetap.model.probe import DEFAULT_RATES, MODES, SAFETIES

if TYPE_CHECKING:
    from treetap.api.v1.connections import Connection
    from treetap.daemon.record import ProbeRecord

_AtLeastOne = Annotated[int, Meta(ge=1)]
_Seconds = Annotated[int, Meta(ge=0)]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,254}\Z")
_RESERVED = frozenset({"all", "none", "system", "detrix", "internal"})
_SCOPES = ("local", "global", "both")
#: Detrix's word for it, beside ours.
_SAFETY_ALIASES = {"moderate": "trusted"}
#: Frames of a stack, where the request doesn't say how many.
_DEFAULT_SLICE = (5, 0)
#: Detrix shows a text as long as it is. Where it is the program that keeps it until it is shipped,
#: less is taken than an adapter may.
_MAX_CHARS, _MAX_CHARS_OF_ADAPTER = 65_536, 1_048_576


class LineOfFile(msgspec.Struct):
    """``location`` of a metric."""

    file: str
    line: int


class Stack(msgspec.Struct):
    """``stackTraceSlice`` that isn't a pair."""

    full: bool = False


class _Takes(msgspec.Struct, rename="camel", kw_only=True):
    """What may be given for a new metric, and may be changed of an old one."""

    group: str | None = None
    mode: str | None = None
    sample_rate: _AtLeastOne | None = None
    sample_interval_seconds: _AtLeastOne | None = None
    max_per_second: _AtLeastOne | None = None
    safety_level: str | None = None
    condition: str | None = None
    max_hits: _Seconds | None = None
    ttl_seconds: _Seconds | None = None


class NewMetric(_Takes, kw_only=True):
    """``POST /api/v1/metrics``."""

    name: str
    connection_id: str
    location: LineOfFile
    expressions: list[str]
    enabled: bool
    replace: bool | None = None
    capture_stack_trace: bool | None = None
    capture_memory_snapshot: bool | None = None
    stack_trace_ttl: _Seconds | None = None
    snapshot_ttl: _Seconds | None = None
    stack_trace_slice: list[_Seconds] | Stack | None = None
    snapshot_scope: str | None = None


class MetricChange(_Takes, kw_only=True):
    """``PUT /api/v1/metrics/{id}``; what is absent or null stays as it is."""

    name: str | None = None
    expressions: list[str] | None = None
    enabled: bool | None = None


def check_name(name: str) -> str:
    """Raises ``ProbeError`` (slug ``metric-name``) if no metric can have this name."""
    if not _NAME.match(name) or "--" in name or "__" in name or name.lower() in _RESERVED:
        raise ProbeError(
            f"Invalid metric name {name[:100]!r}",
            "Use letters, digits, _ and - (neither of them twice in a row), at most 255, no digit "
            f"first, and none of {', '.join(sorted(_RESERVED))}.",
            slug="metric-name",
        )
    return name


def location_text(place: LineOfFile) -> str:
    """As a probe has it; raises ``LocationError`` (slug ``location-syntax``)."""
    file = place.file.strip().removeprefix("@").removeprefix("./")
    if not file or not file.isprintable() or ':"' in file or ":'" in file or place.line < 1:
        raise LocationError(
            f"Invalid metric location {place.file[:100]!r}, line {place.line}",
            'Write {"file": "/srv/shop.py", "line": 42}; lines count from 1.',
            slug="location-syntax",
        )
    return f"{file}:{place.line}"


def fields_of_new(asked: NewMetric, connection: Connection) -> dict[str, Any]:
    """The probe's fields, but for its name.

    Raises:
        LocationError, ProbeError: What can't be used.
    """
    captures = bool(asked.capture_stack_trace or asked.capture_memory_snapshot)
    max_chars = _MAX_CHARS_OF_ADAPTER if connection.port else _MAX_CHARS
    return {
        "location": location_text(asked.location),
        "expressions": asked.expressions,
        "snapshot": captures,
        "condition": "",
        "mode": "stream",
        "rate": 0.0,
        "max_hits": 0,
        "safety": "strict",
        # A metric of Detrix's stays until somebody removes it.
        "ttl_s": 0.0,
        "limits": {"max_chars": max_chars},
        "target": connection.probe_target._asdict(),
        "is_enabled": asked.enabled,
        # Detrix's rule: the request's own word for it counts for nothing.
        "language": connection.language,
        **fields_of_takes(asked, "stream"),
    }


def fields_of_takes(asked: _Takes, mode: str) -> dict[str, Any]:
    """What of ``asked`` is given, as fields of a probe.

    Args:
        asked: The request.
        mode: The probe's, where the request names none.
    """
    fields: dict[str, Any] = {}
    if asked.safety_level is not None:
        fields["safety"] = safety_of(asked.safety_level)
    ttl_s = None if asked.ttl_seconds is None else float(asked.ttl_seconds)
    given = {
        "group": asked.group,
        "condition": asked.condition,
        "max_hits": asked.max_hits,
        "ttl_s": ttl_s,
    }
    fields |= {name: value for name, value in given.items() if value is not None}
    rates = {
        "sample": asked.sample_rate,
        "sample_interval": asked.sample_interval_seconds,
        "throttle": asked.max_per_second,
    }
    chosen = _mode(asked.mode or mode)
    if asked.mode is not None or rates.get(chosen) is not None:
        fields["mode"] = chosen
        fields["rate"] = float(rates.get(chosen) or DEFAULT_RATES.get(chosen, 0))
    return fields


def notes_of_new(asked: NewMetric, connection: Connection, now_s: float) -> dict[str, Any]:
    """What only this face remembers of it."""
    return {
        "name": asked.name,
        "connection": connection.id,
        **notes_of_snapshot(
            now_s,
            stack_ttl_s=asked.stack_trace_ttl,
            locals_ttl_s=asked.snapshot_ttl,
            stack_slice=_slice(asked.stack_trace_slice),
            shows_stack=bool(asked.capture_stack_trace),
            shows_locals=bool(asked.capture_memory_snapshot),
        ),
    }


def warnings_of_new(asked: NewMetric) -> list[str]:
    """What is asked for and can't be had."""
    scope = asked.snapshot_scope or "local"
    if scope not in _SCOPES:
        raise ProbeError(
            f"{scope[:80]!r} is no scope of a snapshot.",
            f"Use one of {', '.join(_SCOPES)}.",
            slug="probe-invalid",
        )
    if asked.capture_memory_snapshot and scope != "local":
        return ["Globals are not in a snapshot: name those that you need as expressions."]
    return []


def fields_of_record(record: ProbeRecord, now_s: float) -> dict[str, Any]:
    """An existing probe as the registry takes a new one; its time to live goes on."""
    probe = record.probe
    left_s = max(0.001, probe.expires_at_s - now_s) if probe.expires_at_s else 0.0
    return {
        "location": str(probe.location),
        "expressions": list(probe.expressions),
        "snapshot": probe.snapshot,
        "condition": probe.condition,
        "mode": probe.mode,
        "rate": float(probe.rate),
        "max_hits": probe.max_hits,
        "ttl_s": left_s,
        "safety": probe.safety,
        "allow_calls": probe.allow_calls,
        "limits": probe.limits._asdict(),
        "budget_percent": float(probe.budget_percent),
        "target": probe.target._asdict(),
        "name": probe.name,
        "is_enabled": probe.is_enabled,
        "group": record.group,
        "language": record.language,
    }


def _mode(mode: str) -> str:
    if mode not in MODES:
        raise ProbeError(
            f"Invalid mode {mode[:80]!r}", f"Use one of {', '.join(MODES)}.", slug="probe-invalid"
        )
    return mode


def safety_of(level: str) -> str:
    """A level of Detrix's or of ours, in our word; raises ``ProbeError`` if it is none."""
    safety = _SAFETY_ALIASES.get(level, level)
    if safety not in SAFETIES:
        raise ProbeError(
            f"Invalid safety level {level[:80]!r}",
            f"Use one of {', '.join((*SAFETIES, *_SAFETY_ALIASES))}.",
            slug="probe-invalid",
        )
    return safety


def _slice(asked: list[int] | Stack | None) -> list[int] | None:
    if isinstance(asked, Stack):
        return None if asked.full else list(_DEFAULT_SLICE)
    if asked is None:
        return list(_DEFAULT_SLICE)
    if len(asked) != 2:
        raise ProbeError(
            f"A stack's slice has two numbers, not {len(asked)}.",
            'Write [first, last], or {"full": true}.',
            slug="probe-invalid",
        )
    return asked
