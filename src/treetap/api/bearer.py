"""The token of a request: in its ``Authorization``, or in the body of a registration.

Detrix's clients for Go and Rust put it there, and send no header.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import Message, Receive, Scope

#: A registration is some hundred bytes; nobody who isn't known yet has more of ours kept.
MAX_BODY_BYTES = 16 * 1024
BODY_TIMEOUT_S = 5.0
_REGISTRATION = ("POST", "/api/v1/connections")


class _Registration(msgspec.Struct):
    token: str = ""


def token_in(headers: Headers) -> str:
    """The bearer token of the request's header; ``""`` if there is none."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""


def may_have_one_in_its_body(scope: Scope, headers: Headers) -> bool:
    """Whether a request registers a program, and has no token in its header."""
    return (
        scope["type"] == "http"
        and (scope["method"], scope["path"]) == _REGISTRATION
        and "authorization" not in headers
    )


async def token_in_body(receive: Receive) -> tuple[str, Receive]:
    """The body's ``token``, and a ``receive`` that gives the body once more.

    ``""`` for a body that is no registration, is too large, or doesn't come.
    """
    messages: list[Message] = []
    received = b""
    is_whole = False
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while not is_whole and len(received) <= MAX_BODY_BYTES:
                message = await receive()
                messages.append(message)
                received += message.get("body", b"")
                is_whole = not message.get("more_body", False)
    except TimeoutError:
        return "", receive

    async def once_more() -> Message:
        return messages.pop(0) if messages else await receive()

    is_read = is_whole and len(received) <= MAX_BODY_BYTES
    return (_token_of(received) if is_read else ""), once_more


def _token_of(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Registration).token
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
