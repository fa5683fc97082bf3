"""``treetap mcp``: the tools over stdin and stdout, each call handed on to the daemon's ``/mcp``.

The list of tools needs no daemon, so that an agent which never calls one starts none. The daemon is
started by the first call, and again by a call that finds it gone: nothing of a call is kept here.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
from mcp import types
from mcp.server.lowlevel import Server as ProtocolServer
from mcp.server.stdio import stdio_server

from treetap.client import ensure_daemon
from treetap.errors import DaemonError, TreetapError
from treetap.mcp import toolbox
from treetap.mcp.services import Refusal

if TYPE_CHECKING:
    from treetap.config.settings import Settings

#: The daemon takes us for gone after 30 s of silence.
HEARTBEAT_S = 10.0
#: A tool may wait for values, for a minute at most.
CALL_TIMEOUT_S = 120.0
_QUICK_TIMEOUT_S = 2.0
#: Each takes 10 s.
_PATIENT_TRIES = 4


class Bridge:
    """One client of an agent, over this process's stdin and stdout.

    Args:
        settings: Which daemon, and its token.
        version: Of treetap.
        heartbeat_s: How often the daemon hears that we are there, in seconds.
    """

    def __init__(
        self, settings: Settings, version: str, *, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self._home = settings.home
        self._heartbeat_s = heartbeat_s
        self._url = ""
        self._starting = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._http = httpx.AsyncClient(
            headers=_headers(settings.token),
            # A kept connection may be the last daemon's, and a call must not be made twice.
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=False,
        )
        self._protocol: ProtocolServer[Any] = ProtocolServer(
            "treetap",
            version=version,
            instructions=toolbox.INSTRUCTIONS,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )

    async def serve(self) -> None:
        """Until stdin ends."""
        beating = asyncio.create_task(self._beat())
        try:
            async with stdio_server() as (incoming, outgoing):
                options = self._protocol.create_initialization_options()
                await self._protocol.run(incoming, outgoing, options)
        finally:
            beating.cancel()
            await self._say("disconnect")
            await self._http.aclose()

    async def _list(self, _context: Any, _params: Any) -> types.ListToolsResult:
        return toolbox.listing()

    async def _call(
        self, _context: Any, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        message = {
            "jsonrpc": "2.0",
            "id": next(self._numbers),
            "method": "tools/call",
            "params": {"name": params.name, "arguments": params.arguments or {}},
        }
        try:
            return types.CallToolResult.model_validate(await self._ask(message))
        except Refusal as exc:
            text = json.dumps(exc.to_dict(), ensure_ascii=False)
            return types.CallToolResult(
                content=[types.TextContent(type="text", text=text)], is_error=True
            )

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """The result of a call.

        Raises:
            Refusal: There is no daemon to be had, it refuses us, or it ended meanwhile.
        """
        try:
            try:
                answer = await self._post(await self._daemon(), message)
            except httpx.ConnectError:
                # Nothing was sent: it has ended since the last call.
                self._url = ""
                answer = await self._post(await self._daemon(), message)
        except TreetapError as exc:
            raise Refusal.by(exc) from exc
        except httpx.HTTPError as exc:
            raise Refusal(
                "daemon-unreachable",
                f"The daemon at {self._url} didn't answer: {str(exc) or type(exc).__name__}.",
                "Whether the call took effect isn't known. Its log: daemon.log in the home.",
            ) from exc
        try:
            return result_of(answer)
        except Refusal as exc:
            if exc.code == "daemon-foreign":
                # Somebody else has its port by now; the next call finds where it is.
                self._url = ""
            raise

    async def _post(self, url: str, message: dict[str, Any]) -> httpx.Response:
        return await self._http.post(f"{url}/mcp", json=message, timeout=CALL_TIMEOUT_S)

    async def _daemon(self) -> str:
        async with self._starting:
            if not self._url:
                self._url = await asyncio.to_thread(_started, Path(self._home))
            return self._url

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            async with self._starting:
                _reap()
            await self._say("heartbeat")

    async def _say(self, what: str) -> None:
        """Tell the daemon, if there is one; it isn't started for that."""
        if self._url:
            with suppress(httpx.HTTPError):
                await self._http.post(f"{self._url}/mcp/{what}", timeout=_QUICK_TIMEOUT_S)


def _started(home: Path) -> str:
    """The daemon's URL. On a machine that is busy it takes longer than a person would wait."""
    for _ in range(_PATIENT_TRIES - 1):
        try:
            return ensure_daemon(home)
        except DaemonError as exc:
            if exc.slug not in ("daemon-slow", "daemon-silent"):
                raise
    return ensure_daemon(home)


def _reap() -> None:
    """A daemon that was started here, and has ended since, is no zombie."""
    with suppress(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def run(settings: Settings, version: str) -> None:
    """Serve until stdin ends, or a signal ends this process."""
    # A thread waits for the next line: Python's own way would wait for that line, too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # To stderr, which agents show when something is wrong.
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(_serve(settings, version))


async def _serve(settings: Settings, version: str) -> None:
    await Bridge(settings, version).serve()


def _headers(token: str | None) -> dict[str, str]:
    """Who we are, in the words of Detrix's bridge."""
    parent = os.getppid()
    headers = {
        "x-detrix-client-id": f"treetap-mcp-{uuid4().hex[:12]}",
        "x-detrix-parent-pid": str(parent),
        "x-detrix-bridge-pid": str(os.getpid()),
    }
    with suppress(OSError):
        name = Path(f"/proc/{parent}/comm").read_text(encoding="utf-8", errors="replace").strip()
        headers["x-detrix-parent-name"] = "".join(
            c for c in name if c.isascii() and c.isprintable()
        )
    if token:
        headers["authorization"] = f"Bearer {token}"
    return headers


def result_of(answer: httpx.Response) -> dict[str, Any]:
    """What the daemon's answer brings.

    Raises:
        Refusal: An error: of JSON-RPC, of the daemon's API; or no answer of a daemon's.
    """
    try:
        content = answer.json()
        if "result" in content:
            return dict(content["result"])
        error = content["error"]
        if isinstance(error, dict) and "slug" in error:
            raise Refusal.by(DaemonError(error["what"], error.get("hint", ""), slug=error["slug"]))
        message = error["message"] if isinstance(error, dict) else str(error)
        raise Refusal(str(content.get("slug", "daemon")), message, str(content.get("hint", "")))
    except (ValueError, KeyError, TypeError) as exc:
        if answer.status_code == 500:
            raise Refusal(
                "daemon-unreachable",
                "The daemon was ended in the middle of the call.",
                "The next call starts it again.",
            ) from exc
        raise Refusal(
            "daemon-foreign",
            f"What answers at {answer.url} is not a treetap daemon.",
            "Start one: treetap daemon start.",
        ) from exc
