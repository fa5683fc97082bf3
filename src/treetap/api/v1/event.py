"""Hits as ``MetricEvent``: the shape of REST. The live stream's is spelled otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from treetap.api.v1.place import place_of, sliced
from treetap.api.v1.value import Value, failure_of, value_of
from treetap.model.captured import KIND, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treetap.daemon.record import ProbeRecord

_SNAPSHOT = "snapshot"


class Named(NamedTuple):
    """What an event says of whose it is.

    Attributes:
        metric: ``metricId``.
        name: Of the metric.
        connection: ``connectionId``.
        shows_stack: The metric asked for stack traces.
        shows_locals: It asked for memory snapshots.
        stack_slice: ``[first, last]`` frames of a stack that are shown; ``None`` for all.
        stack_until_ns: From then on no stack is shown; 0 for never.
        locals_until_ns: The same of locals.
    """

    metric: int
    name: str
    connection: str
    shows_stack: bool = True
    shows_locals: bool = True
    stack_slice: tuple[int, int] | None = None
    stack_until_ns: int = 0
    locals_until_ns: int = 0


def metric_event(event: dict[str, Any], named: Named) -> dict[str, Any]:
    """One hit, from the shape of ``/api/v2`` (``treetap.daemon.event_form``)."""
    values = dict(values_of(event))
    return {
        "metricId": named.metric,
        "metricName": named.name,
        "location": place_of(event["location"]),
        "timestamp": event["time_ns"] // 1000,
        "threadName": None,
        "threadId": None,
        "requestId": None,
        "sessionId": None,
        "values": [_value(name, value) for name, value in values.items()],
        "error": error_of(event),
        "connectionId": named.connection,
        "stackTrace": stack_of(event, named),
        "memorySnapshot": locals_of(event, named),
    }


def values_of(event: dict[str, Any]) -> Iterator[tuple[str, Value]]:
    """Each expression with its value, but for those that raised."""
    for name, captured in event["values"].items():
        if not _is_snapshot(captured) and failure_of(captured) is None:
            yield name, value_of(captured)


def error_of(event: dict[str, Any]) -> dict[str, Any] | None:
    """The first expression that raised; Detrix then has no values at all, here the others stay."""
    for captured in event["values"].values():
        failure = failure_of(captured)
        if failure is not None:
            return {
                "error": True,
                "errorCode": "EVAL_ERROR",
                "errorType": failure[0],
                "errorMessage": failure[1],
                "traceback": None,
            }
    return None


def stack_of(event: dict[str, Any], named: Named) -> dict[str, Any] | None:
    """``stackTrace``, innermost frame first; ``None`` where there is none."""
    snapshot = _snapshot(event)
    if snapshot is None or not named.shows_stack or _is_over(event, named.stack_until_ns):
        return None
    frames = [
        {"index": index, "name": name, "file": file, "line": line, "module": None}
        for index, (name, file, line) in enumerate(snapshot.get("stack", ()))
    ]
    return {"frames": sliced(frames, named.stack_slice)}


def locals_of(event: dict[str, Any], named: Named) -> dict[str, Any] | None:
    """``memorySnapshot``; ``None`` where there is none."""
    snapshot = _snapshot(event)
    if snapshot is None or not named.shows_locals or _is_over(event, named.locals_until_ns):
        return None
    shown = [
        {"name": name, "value": _shown(captured), "type": _type_of(captured)}
        for name, captured in snapshot.get("locals", ())
    ]
    return {"locals": shown, "globals": []}


def names_of(record: ProbeRecord, connection: str) -> Named:
    """What events of this probe say."""
    notes = record.notes
    asked_slice = notes.get("stack_slice")
    return Named(
        metric_id(record),
        metric_name(record),
        connection,
        bool(notes.get("shows_stack", True)),
        bool(notes.get("shows_locals", True)),
        (int(asked_slice[0]), int(asked_slice[1])) if asked_slice else None,
        int(notes.get("stack_until", 0) * 1e9),
        int(notes.get("locals_until", 0) * 1e9),
    )


def metric_id(record: ProbeRecord) -> int:
    """Stays the same when another probe takes a metric over, since its expressions change."""
    return int(record.notes.get("metric", 0)) or record.number


def metric_name(record: ProbeRecord) -> str:
    """Names of metrics are unique in their connection only, so that a probe's may be longer."""
    return str(record.notes.get("name") or record.probe.name or record.probe.id)


def _value(name: str, value: Value) -> dict[str, Any]:
    shown = {"expression": name, "valueJson": value.text, "typedValue": value.typed}
    return shown if value.is_whole else {**shown, "isWhole": False}


def _snapshot(event: dict[str, Any]) -> dict[str, Any] | None:
    captured = event["values"].get(_SNAPSHOT)
    return captured if _is_snapshot(captured) else None


def _is_over(event: dict[str, Any], until_ns: int) -> bool:
    return 0 < until_ns <= int(event["time_ns"])


def _is_snapshot(captured: Any) -> bool:
    return isinstance(captured, dict) and captured.get(KIND) == _SNAPSHOT


def _shown(captured: Any) -> str:
    """As Detrix shows it: a text without quotes."""
    return captured if isinstance(captured, str) else render(captured)


def _type_of(captured: Any) -> str:
    if not isinstance(captured, dict):
        return type(captured).__name__
    return str(captured.get("type") or captured.get(KIND) or "dict")
