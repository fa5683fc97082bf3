"""``/mcp``: JSON-RPC in, JSON out, each request by itself.

There are no sessions, so that nothing is lost when the daemon starts anew, and that clients of 2024
which know of none (Detrix's bridge) are served as any other. A session's id is a name only, by which
a client is known in ``/status``.
"""

from __future__ import annotations

import asyncio
import importlib
import uuid
from typing import TYPE_CHECKING, Any, cast

import msgspec.json
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from treetap.errors import DaemonError
from treetap.mcp.incoming import client_name, complaint_about, introduced, printable, read_message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from treetap.daemon import Daemon
    from treetap.mcp.server import Server

    ReadBody = Callable[[Request, int], Awaitable[bytes]]

MAX_BODY_BYTES = 4 * 1024 * 1024
SESSION_HEADER = "mcp-session-id"
CLIENT_HEADER = "x-detrix-client-id"
#: In the scope: by what the client is known.
AGENT = "treetap.agent"


class Face:
    """The routes of one daemon. Made on its loop.

    Args:
        daemon: Whose.
        version: Of treetap.
        read_body: As the API's own routes do it: up to so many bytes, or a ``DaemonError``.
    """

    def __init__(self, daemon: Daemon, version: str, read_body: ReadBody) -> None:
        self._daemon = daemon
        self._version = version
        self._read_body = read_body
        self._server: Server | None = None
        self._loading = asyncio.Lock()

    def routes(self, api: ASGIApp) -> list[BaseRoute]:
        """Args:
        api: The daemon's API, without its guard.
        """
        return [
            Route("/mcp", _Endpoint(lambda *call: self._answer(api, *call)), methods=["POST"]),
            Route("/mcp", self._goodbye, methods=["DELETE"]),
            Route("/mcp/heartbeat", self._heartbeat, methods=["POST"]),
            Route("/mcp/disconnect", self._disconnect, methods=["POST"]),
        ]

    # -- routes -------------------------------------------------------------------------------

    async def _answer(self, api: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self._read_body(Request(scope, receive), MAX_BODY_BYTES)
        message = read_message(body)
        complaint = complaint_about(message)
        if complaint is not None:
            await _json(complaint, 400)(scope, receive, send)
            return
        if message.get("method") == "initialize":
            body = introduced(message, body)
        agent, session = self._agent_of(scope, message)
        scope[AGENT] = agent
        # An old client doesn't say that it takes JSON; it gets nothing else.
        MutableHeaders(scope=scope)["accept"] = "application/json, text/event-stream"
        server = await self._loaded(api)
        named = send if not session else _with_header(send, SESSION_HEADER, session)
        await server.answer(scope, _replay(body, receive), named)

    async def _goodbye(self, request: Request) -> Response:
        """A client of the SDK ends its session."""
        self._daemon.agents.forget(request.headers.get(SESSION_HEADER, ""))
        return Response(status_code=204)

    async def _heartbeat(self, request: Request) -> Response:
        self._seen(_client_id(request), request.headers)
        return _json({"status": "ok"})

    async def _disconnect(self, request: Request) -> Response:
        was_there = self._daemon.agents.forget(_client_id(request))
        return _json({"status": "ok", "wasConnected": was_there})

    # -- inside -------------------------------------------------------------------------------

    def _agent_of(self, scope: Scope, message: Any) -> tuple[str, str]:
        """By what the client is known; and the id of a session that begins with this message."""
        headers = Headers(scope=scope)
        session = ""
        name = headers.get(CLIENT_HEADER) or headers.get(SESSION_HEADER, "")
        params = message.get("params")
        if not name and message.get("method") == "initialize":
            name = session = f"{client_name(params, 'clientInfo')}-{uuid.uuid4().hex[:12]}"
        elif not name and isinstance(params, dict):
            # A client of 2026 says in each request what it is, and has no session.
            meta = params.get("_meta")
            name = client_name(meta, "io.modelcontextprotocol/clientInfo", "")
        name = printable(name)
        if name:
            self._seen(name, headers)
        return name, session

    def _seen(self, name: str, headers: Headers) -> None:
        self._daemon.agents.seen(
            printable(name),
            parent_pid=_whole(headers.get("x-detrix-parent-pid", "")),
            parent_name=printable(headers.get("x-detrix-parent-name", "")),
            bridge_pid=_whole(headers.get("x-detrix-bridge-pid", "")),
        )

    async def _loaded(self, api: ASGIApp) -> Server:
        async with self._loading:
            if self._server is None:
                try:
                    # Takes a second, in which the loop has others to serve.
                    module = await asyncio.to_thread(importlib.import_module, "treetap.mcp.server")
                except ImportError as exc:
                    raise missing(exc) from exc
                self._server = cast("Server", module.open_server(self._daemon, api, self._version))
            return self._server


def missing(cause: ImportError) -> DaemonError:
    """What to say if the SDK isn't there, or is too old."""
    return DaemonError(
        f"Agents can't be served without the package mcp: {cause}.",
        "Install it beside treetap: pip install 'treetap[mcp]'.",
        slug="mcp-missing",
    )


class _Endpoint:
    """An ASGI application that a route takes as it is."""

    def __init__(self, call: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._call = call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._call(scope, receive, send)


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


def _with_header(send: Send, name: str, value: str) -> Send:
    async def named(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)[name] = value
        await send(message)

    return named


def _client_id(request: Request) -> str:
    name = printable(request.headers.get(CLIENT_HEADER, ""))
    if not name:
        raise DaemonError(
            "The request doesn't say which client it is from.",
            "Give the header X-Detrix-Client-Id.",
            slug="request-client",
        )
    return name


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _json(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
