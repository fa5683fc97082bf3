"""A request or a WebSocket is refused before any route sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treetap.api.answer import error_answer

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from treetap.errors import TreetapError


async def refuse(
    error: TreetapError,
    scope: Scope,
    receive: Receive,
    send: Send,
    headers: dict[str, str] | None = None,
) -> None:
    """Answer with the error, in its shape; a WebSocket isn't opened, and told the same if it can be."""
    answer = error_answer(error, headers, path=scope["path"])
    if scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {}):
        await answer(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008})
