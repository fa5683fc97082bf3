"""JSON out, JSON in, and the shape of an error: ours, or that of ``/api/v1``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec.json
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from treetap.api.v1.fault import fault_body, fault_of, is_detrix
from treetap.errors import DaemonError, TreetapError

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BODY_BYTES = 1024 * 1024
#: A body has to be here within so many seconds.
BODY_TIMEOUT_S = 10

#: Status by slug; what isn't here has that of its class's first word, or 400.
STATUSES = {
    "probe-unknown": 404,
    "target-unknown": 404,
    "probe-exists": 409,
    "probe-fixed": 409,
    "request-stranger": 401,
    "request-host": 403,
    "request-origin": 403,
    "request-path": 404,
    "request-method": 405,
    "request-size": 413,
    "request-slow": 408,
    "request-rate": 429,
    "request-failed": 500,
    "mcp-missing": 501,
    "store": 503,
    "store-unusable": 503,
}


def json_answer(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def error_body(error: TreetapError) -> dict[str, Any]:
    return {"error": {"slug": error.slug, "what": error.what, "hint": error.hint}}


def error_answer(
    error: TreetapError, headers: dict[str, str] | None = None, *, path: str = ""
) -> Response:
    """An error in the shape of the path that it is answered at."""
    status = STATUSES.get(error.slug, 400)
    if is_detrix(path):
        fault = fault_of(error, status)
        answer = json_answer(fault_body(error, fault), fault.status)
    else:
        answer = json_answer(error_body(error), status)
    answer.headers.update(headers or {})
    return answer


async def body(request: Request, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The request's body.

    Raises:
        DaemonError: It is larger than ``max_bytes`` (slug ``request-size``), or doesn't come
            (``request-slow``).
    """
    received = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                received += chunk
                if len(received) > max_bytes:
                    raise DaemonError(
                        "The request's body is too large.",
                        f"The limit is {max_bytes} bytes.",
                        slug="request-size",
                    )
    except (TimeoutError, ClientDisconnect) as exc:
        raise DaemonError(
            "The request's body didn't come.",
            f"All of it has to be here within {BODY_TIMEOUT_S} s.",
            slug="request-slow",
        ) from exc
    return bytes(received)


async def json_object(request: Request) -> dict[str, Any]:
    """The request's body as a JSON object.

    Raises:
        DaemonError: It is none (slug ``request-json``), or too large (``request-size``).
    """
    try:
        content = msgspec.json.decode(await body(request))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise DaemonError("The request's body is not JSON.", str(exc), slug="request-json") from exc
    if not isinstance(content, dict):
        raise DaemonError(
            f"The request's body is a JSON {type(content).__name__}, not an object.",
            'Write {"field": value, …}.',
            slug="request-json",
        )
    return content


def bad_query(name: str, value: str, wanted: str) -> DaemonError:
    return DaemonError(f"{name}={value} can't be used.", f"Give {wanted}.", slug="request-query")
