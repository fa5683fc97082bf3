"""The messages of a link, version 1. Plain lists and dicts; batches are lists, for speed.

A link begins with a handshake (``treetap.link``), then both sides speak freely::

    node → daemon   {"type": "hello", "protocol": 1, "node": {…}}      who I am
    daemon → node   {"type": "welcome", "revision": n, "probes": […]}  all your probes
                    {"type": "refused", "slug": …, "what": …, "hint": …}
    daemon → node   {"type": "probes", "revision": n, "probes": […]}   all of them, again
    node → daemon   {"type": "status", "revision": n, "probes": […]}   after a change; each second
    node → daemon   ["batch", probe id, first number, [row, …]]        row: [time_ns, value, …]
    daemon → node   {"type": "sleep"}                                  go to sleep
    node → daemon   {"type": "bye", "reason": "sleep" | "exit"}

``probes`` is always the whole wanted state: a message that got lost is mended by the next one.
"""

from __future__ import annotations

from treetap.errors import LinkError, ProbeError
from treetap.model.location import Location
from treetap.model.probe import Limits, Probe, Target, check_probe
from treetap.model.status import Batch, ProbeStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROTOCOL = 1
BATCH = "batch"


def batch_to_wire(batch: Batch) -> list[Any]:
    return [BATCH, *batch]


def batch_from_wire(message: list[Any]) -> Batch:
    """Raises ``LinkError`` (slug ``link-message``) if the message is no batch."""
    match message:
        case ["batch", str(probe_id), int(first_number), list(rows)]:
            return Batch(probe_id, first_number, rows)
    raise LinkError("A list on the link is not a batch.", slug="link-message")


def probe_to_dict(probe: Probe) -> dict[str, Any]:
    """Plain data that says all of the probe; ``probe_from_dict`` is the inverse."""
    fields = probe._asdict()
    fields["location"] = str(probe.location)
    fields["location_parts"] = list(probe.location)
    fields["expressions"] = list(probe.expressions)
    fields["limits"] = probe.limits._asdict()
    fields["target"] = probe.target._asdict()
    return fields


def probe_from_dict(fields: dict[str, Any]) -> Probe:
    """A checked probe; unknown keys are ignored, absent ones have their defaults.

    Raises:
        ProbeError: A field has the wrong type or makes no sense.
    """
    try:
        values = {name: fields[name] for name in _PLAIN if name in fields}
        for name, value in values.items():
            values[name] = _typed(name, value, _PLAIN[name])
        return check_probe(
            Probe(
                location=Location(*fields["location_parts"]),
                expressions=tuple(
                    _typed("expressions", text, str) for text in fields.get("expressions", ())
                ),
                limits=Limits(**fields.get("limits", {})),
                target=Target(**fields.get("target", {})),
                **values,
            )
        )
    except (KeyError, TypeError, AttributeError) as exc:
        raise ProbeError("This is not a probe.", str(exc), slug="probe-invalid") from exc


_PLAIN: dict[str, type] = {
    "id": str,
    "snapshot": bool,
    "condition": str,
    "mode": str,
    "rate": float,
    "max_hits": int,
    "expires_at_s": float,
    "safety": str,
    "allow_calls": bool,
    "budget_percent": float,
    "name": str,
    "is_enabled": bool,
}


def _typed(name: str, value: Any, kind: type) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"{name} is {value!r}, which is not of type {kind.__name__}")
    return value


def status_to_wire(revision: int, statuses: list[ProbeStatus]) -> dict[str, Any]:
    return {
        "type": "status",
        "revision": revision,
        "probes": [status.to_dict() for status in statuses],
    }


def statuses_from_wire(message: dict[str, Any]) -> list[ProbeStatus]:
    """Raises ``LinkError`` (slug ``link-message``) if the message is no status."""
    try:
        return [
            ProbeStatus(
                **{**fields, "sites": tuple(fields["sites"]), "error": tuple(fields["error"])}
            )
            for fields in message["probes"]
        ]
    except (KeyError, TypeError) as exc:
        raise LinkError(
            "A status on the link is malformed.", str(exc), slug="link-message"
        ) from exc
