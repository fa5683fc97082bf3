"""Errors as ``/api/v1`` shows them: Detrix's body, with the status that its own docs promise.

Detrix answers 500 to nearly everything; the code of its table says what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from treetap.errors import TreetapError

#: Paths whose errors have this shape.
_PREFIXES = ("/api/v1/", "/mcp/", "/ws/", "/status/", "/metrics/")

TERMINAL, RETRYABLE, SECURITY, INTERNAL = "terminal", "retryable", "security", "internal"


class Fault(NamedTuple):
    """How an error is told.

    Attributes:
        status: Of HTTP.
        code: ``errorCode`` of Detrix's table.
        type: ``errorType``.
        category: ``terminal``, ``retryable``, ``security`` or ``internal``.
    """

    status: int
    code: int
    type: str
    category: str = TERMINAL


_MISSING = Fault(404, 1001, "METRIC_NOT_FOUND")
_BAD_PLACE = Fault(400, 1003, "METRIC_INVALID_LOCATION")
_BAD_REQUEST = Fault(400, 3001, "CONFIG_INVALID")
_ADAPTER = Fault(502, 5002, "ADAPTER_ERROR", RETRYABLE)
_DATABASE = Fault(503, 5001, "DATABASE_ERROR", RETRYABLE)

#: By slug, or by the first word of slugs.
FAULTS: dict[str, Fault] = {
    "metric-unknown": _MISSING,
    "connection-unknown": _MISSING,
    "probe-unknown": _MISSING,
    "target-unknown": _MISSING,
    "request-path": _MISSING,
    "metric-name": Fault(400, 1002, "METRIC_INVALID_NAME"),
    "metric-exists": Fault(409, 1004, "METRIC_DUPLICATE"),
    "probe-exists": Fault(409, 1004, "METRIC_DUPLICATE"),
    "probe-fixed": Fault(409, 1005, "METRIC_LOCATION_CONFLICT"),
    "location": _BAD_PLACE,
    "expression": Fault(400, 1006, "METRIC_INVALID_EXPRESSION"),
    "expression-size": Fault(400, 1007, "METRIC_EXPRESSION_TOO_LONG"),
    "expression-unsafe": Fault(400, 2001, "SAFETY_VIOLATION", SECURITY),
    "target-safe-mode": Fault(400, 2010, "SAFE_MODE_VIOLATION", SECURITY),
    "target-invalid": Fault(400, 3007, "CONFIG_INVALID_VALUE"),
    "connection-invalid": Fault(400, 3007, "CONFIG_INVALID_VALUE"),
    "config-file": Fault(400, 3002, "CONFIG_PARSE_ERROR"),
    "config-value": Fault(400, 3007, "CONFIG_INVALID_VALUE"),
    "config-unknown": Fault(400, 3007, "CONFIG_INVALID_VALUE"),
    "source-unreadable": Fault(400, 4301, "FILE_READ_ERROR"),
    "source-path": Fault(400, 4305, "FILE_INVALID_PATH"),
    "source-missing": Fault(404, 4306, "FILE_NOT_FOUND"),
    "source-line": Fault(404, 4308, "FILE_LINE_NOT_FOUND"),
    "dap": _ADAPTER,
    "store": _DATABASE,
    "request-method": Fault(405, 3001, "CONFIG_INVALID"),
    "request-slow": Fault(408, 5003, "IO_ERROR", RETRYABLE),
    "request-size": Fault(413, 3001, "CONFIG_INVALID"),
    "request-type": Fault(415, 3001, "CONFIG_INVALID"),
    "request-fields": Fault(422, 3001, "CONFIG_INVALID"),
    "request-upgrade": Fault(426, 3001, "CONFIG_INVALID"),
    "request-stranger": Fault(401, 6001, "UNAUTHORIZED", SECURITY),
    "request-host": Fault(403, 6001, "UNAUTHORIZED", SECURITY),
    "request-origin": Fault(403, 6001, "UNAUTHORIZED", SECURITY),
    "request-rate": Fault(429, 6001, "RATE_LIMITED", RETRYABLE),
    "request-failed": Fault(500, 9001, "INTERNAL_ERROR", INTERNAL),
}


def is_detrix(path: str) -> bool:
    """Whether errors of this path have this shape."""
    return f"{path}/".startswith(_PREFIXES)


def fault_of(error: TreetapError, status: int = 400) -> Fault:
    """By the error's slug, else by its first word, else a bad request with this status."""
    known = FAULTS.get(error.slug) or FAULTS.get(error.slug.partition("-")[0])
    return known or _BAD_REQUEST._replace(status=status)


def fault_body(error: TreetapError, fault: Fault | None = None) -> dict[str, Any]:
    """The five keys of Detrix's, then ours: which page of the docs it is, and the way out."""
    fault = fault or fault_of(error)
    return {
        "error": error.what,
        "errorCode": fault.code,
        "errorType": fault.type,
        "category": fault.category,
        "retryable": fault.category == RETRYABLE,
        "slug": error.slug,
        "hint": error.hint,
    }
