"""What a request of ``/api/v1`` says: JSON bodies, numbers of a path, a query's parameters.

The statuses are Detrix's: 415 for another type of content, 400 for what is no JSON or can't be
read as a number, 422 for JSON that lacks a field or has one of another type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from treetap.api.answer import bad_query, body
from treetap.errors import DaemonError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

T = TypeVar("T")

#: Of SQL's integers, and of JSON's in most languages.
MAX_INT = 2**63 - 1


async def body_as(request: Request, kind: type[T]) -> T:
    """The request's body as a ``msgspec.Struct``; unknown keys are ignored.

    Raises:
        DaemonError: It isn't declared as JSON (slug ``request-type``), is none
            (``request-json``), or doesn't fit (``request-fields``).
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "application/json" and not declared.endswith("+json"):
        raise DaemonError(
            f"The request's body is declared as {declared[:80] or 'nothing'!r}, not as JSON.",
            "Send the header Content-Type: application/json.",
            slug="request-type",
        )
    return as_kind(await body(request), kind)


def as_kind(content: bytes, kind: type[T]) -> T:
    """``content`` as a ``kind``; raises as ``body_as``."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as exc:
        raise DaemonError(
            f"The request's body can't be used: {exc}.",
            "/api/v2/openapi.json says what each route takes.",
            slug="request-fields",
        ) from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise DaemonError("The request's body is not JSON.", str(exc), slug="request-json") from exc


def number_in_path(request: Request, name: str) -> int:
    """Raises ``DaemonError`` (slug ``request-query``) if that part of the path is no number."""
    text = request.path_params[name]
    if not _is_number(text):
        raise bad_query(name, text, f"a whole number from 0 to {MAX_INT}")
    return int(text)


def number(query: Mapping[str, str], name: str, default: int) -> int:
    """A whole number from 0 up; raises ``DaemonError`` (slug ``request-query``) if it is none."""
    text = query.get(name, "")
    if not text:
        return default
    if not _is_number(text):
        raise bad_query(name, text, f"a whole number from 0 to {MAX_INT}")
    return int(text)


def moment_ns(query: Mapping[str, str], name: str) -> int:
    """A moment, given in microseconds since the epoch, in nanoseconds; 0 if it isn't given."""
    return min(number(query, name, 0) * 1000, MAX_INT)


def switch(query: Mapping[str, str], name: str) -> bool | None:
    """``true`` or ``false``; ``None`` if it isn't given."""
    text = query.get(name, "")
    if not text:
        return None
    if text not in ("true", "false"):
        raise bad_query(name, text, "true or false")
    return text == "true"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_INT
