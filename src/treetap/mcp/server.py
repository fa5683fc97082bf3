"""The SDK's server: which tools there are, and one call of one of them."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from mcp import types
from mcp.server.lowlevel import Server as ProtocolServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from pydantic import ValidationError

from treetap.errors import TreetapError
from treetap.mcp import toolbox
from treetap.mcp.bounds import bounded
from treetap.mcp.face import AGENT, MAX_BODY_BYTES
from treetap.mcp.services import Refusal, Services

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from starlette.types import ASGIApp, Receive, Scope, Send

    from treetap.daemon import Daemon

log = logging.getLogger(__name__)


def open_server(daemon: Daemon, api: ASGIApp, version: str) -> Server:
    """The server of one daemon, whose tools call ``api``: its routes without their guard."""
    return Server(Services(daemon, api), version)


class Server:
    """Args:
    services: What the tools act through.
    version: Of treetap.
    """

    def __init__(self, services: Services, version: str) -> None:
        self._services = services
        self._tools = toolbox.by_name()
        self._protocol: ProtocolServer[Any] = ProtocolServer(
            "treetap",
            version=version,
            instructions=toolbox.INSTRUCTIONS,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request. What belongs to it ends with it: there is nothing to close."""
        exchange = StreamableHTTPSessionManager(
            self._protocol,
            json_response=True,
            stateless=True,
            max_request_body_size=MAX_BODY_BYTES,
        )
        async with exchange.run():
            await exchange.handle_request(scope, receive, send)

    async def _list(self, _context: Any, _params: Any) -> types.ListToolsResult:
        return toolbox.listing()

    async def _call(
        self, context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        began_s = time.monotonic()
        agent = context.request.scope.get(AGENT, "") if context.request is not None else ""
        error = ""
        try:
            text = bounded(await self._run(params.name, params.arguments or {}))
        except Refusal as exc:
            error = exc.code
            text = bounded(exc.to_dict())
        self._services.daemon.usage.note(
            params.name[:100],
            duration_s=time.monotonic() - began_s,
            error=error,
            client=agent,
            is_connected=bool(self._services.daemon.roster.connected()),
        )
        content = types.TextContent(type="text", text=text)
        return types.CallToolResult(content=[content], is_error=bool(error))

    async def _run(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        tool = self._tools.get(name)
        if tool is None:
            raise Refusal(
                "tool-unknown",
                f"There is no tool {name[:100]!r}.",
                f"There are: {', '.join(self._tools)}.",
            )
        try:
            answer: dict[str, Any] = await tool.run(
                toolbox.arguments(tool, given),
                self._services,  # type: ignore[arg-type]
            )
        except ToolError as exc:
            raise _refusal(name, exc) from exc
        return answer


def _refusal(name: str, error: ToolError) -> Refusal:
    """What became of a call that failed, in words of ours."""
    match error.__cause__:
        case Refusal() as refusal:
            return refusal
        case TreetapError() as known:
            return Refusal.by(known)
        case ValidationError() as wrong:
            told = [
                f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in wrong.errors()[:5]
            ]
            return Refusal("arguments", f"{name} can't take these arguments.", "; ".join(told))
        case unknown:
            log.error("the tool %s failed", name, exc_info=unknown)
            return Refusal(
                "failed",
                f"{name} failed: {type(unknown).__name__}.",
                "The daemon's log says why: daemon.log in the home.",
            )
