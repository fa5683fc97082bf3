"""``/ws``: events as they happen, each in a text frame of its own.

What a client sends is read and ignored. Who reads too slowly loses the oldest; what was lost, there
or on the way here, the next event tells in its key ``gap``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec.json
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from treetap.api.answer import error_answer
from treetap.api.refusal import refuse
from treetap.api.v1.connections import Connections
from treetap.api.v1.event import (
    error_of,
    locals_of,
    metric_id,
    metric_name,
    names_of,
    stack_of,
    values_of,
)
from treetap.api.v1.reading import number
from treetap.errors import DaemonError, TreetapError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.websockets import WebSocket

    from treetap.api.v1.event import Named
    from treetap.daemon import Daemon
    from treetap.daemon.feed import About, Listener

#: Sockets of one peer; each of them costs a task and a queue.
MAX_SOCKETS = 50
#: A client that takes nothing for so many seconds is let go; the server's pings find who is dead.
SEND_TIMEOUT_S = 60.0
_SILENCE_S = 3600.0
_FRAMES_A_TURN = 100
#: Of the protocol: a server that goes down.
_GOING_AWAY = 1001

_encode = msgspec.json.Encoder().encode


class ConnectionNames:
    """``connectionId`` of each node; looked up once a node, for that takes all of them."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._names: dict[str, str] = {}

    def of(self, node: str) -> str:
        """``""`` for a node that nobody knows any more."""
        if node not in self._names:
            by_key = Connections(self._daemon).of_nodes()
            self._names = {
                entry.identity.id: by_key.get(entry.key, "") for entry in self._daemon.roster.all()
            }
        return self._names.setdefault(node, "")


class Wanted:
    """What the query's ``metricId``, ``metricName``, ``connectionId`` and ``group`` say; all of it
    has to match.

    Raises:
        DaemonError: ``metricId`` is no number (slug ``request-query``).
    """

    def __init__(self, daemon: Daemon, query: Mapping[str, str], names: ConnectionNames) -> None:
        self._daemon = daemon
        self._names = names
        # 0 is nobody's.
        self._metric = number(query, "metricId", 0)
        self._metric_name = query.get("metricName", "")
        self._connection = query.get("connectionId", "")
        self._group = query.get("group", "")

    def matches(self, about: About) -> bool:
        """Whether it is of a wanted metric and connection. What is of none is told to nobody."""
        record = self._daemon.registry.record_of(about.probe or "")
        # A loss on the way to this socket has nothing to do with this.
        if record is None or not about.node:
            return False
        return (
            (not self._metric or metric_id(record) == self._metric)
            and self._metric_name in ("", metric_name(record))
            and self._group in ("", record.group)
            and self._connection in ("", self._names.of(about.node))
        )


def routes(daemon: Daemon) -> list[BaseRoute]:
    # Open sockets by peer.
    peers: dict[str, int] = {}

    async def live(websocket: WebSocket) -> None:
        peer = websocket.client.host if websocket.client else ""
        try:
            names = ConnectionNames(daemon)
            wanted = Wanted(daemon, websocket.query_params, names)
            if peers.get(peer, 0) >= MAX_SOCKETS:
                raise _too_many()
        except TreetapError as exc:
            await refuse(exc, websocket.scope, websocket.receive, websocket.send)
            return
        peers[peer] = peers.get(peer, 0) + 1
        try:
            await _serve(daemon.feed.listen(wanted), websocket, Frames(daemon, names))
        finally:
            peers[peer] -= 1
            if not peers[peer]:
                del peers[peer]

    return [WebSocketRoute("/ws", live), Route("/ws", _no_upgrade, methods=["GET"])]


async def _no_upgrade(_request: Request) -> Response:
    error = DaemonError(
        "/ws is a WebSocket, and this request opens none.",
        "Send Upgrade: websocket, with a client for WebSockets; or read /api/v2/events/stream.",
        slug="request-upgrade",
    )
    return error_answer(error, {"upgrade": "websocket", "connection": "upgrade"}, path="/ws")


async def _serve(listener: Listener, websocket: WebSocket, frames: Frames) -> None:
    # It listens from before it is accepted: a client that is told so misses nothing from there on.
    try:
        await websocket.accept()
        hearing = asyncio.create_task(_hear(websocket, listener))
        try:
            await _tell(websocket, listener, frames)
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
    except (WebSocketDisconnect, TimeoutError):
        # It has gone while it was spoken to, or takes nothing any more.
        pass
    finally:
        listener.close()


async def _hear(websocket: WebSocket, listener: Listener) -> None:
    """Read what is sent, to hear of its end."""
    try:
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass
    finally:
        listener.close()


async def _tell(websocket: WebSocket, listener: Listener, frames: Frames) -> None:
    while (events := await listener.next(_SILENCE_S)) is not None:
        for count, text in enumerate(frames.of(events)):
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await _send(websocket, text)
            if count % _FRAMES_A_TURN == 0:
                # A socket that takes everything is never waited for: others want the loop, too.
                await asyncio.sleep(0)
    await _send(websocket, None)


async def _send(websocket: WebSocket, text: str | None) -> None:
    """Send a frame, or that there are no more; raises ``WebSocketDisconnect`` if nobody is there."""
    try:
        if text is None:
            await websocket.close(_GOING_AWAY)
        else:
            await websocket.send_text(text)
    except RuntimeError as exc:
        # The server has closed it, which the socket doesn't know yet.
        raise WebSocketDisconnect(1006) from exc


class Frames:
    """Makes frames of events, and remembers what is lost until it is told."""

    def __init__(self, daemon: Daemon, names: ConnectionNames) -> None:
        self._daemon = daemon
        self._names = names
        self._lost: dict[str, int] = {}

    def of(self, events: Iterable[dict[str, Any]]) -> Iterator[str]:
        for event in events:
            if event["kind"] == "loss":
                where = event["where"]
                self._lost[where] = self._lost.get(where, 0) + event["lost"]
            elif event["kind"] == "hit":
                record = self._daemon.registry.record_of(event["probe"])
                if record is not None:
                    named = names_of(record, self._names.of(event["node"]))
                    yield _encode(self._with_gap(live_event(event, named))).decode()

    def _with_gap(self, shown: dict[str, Any]) -> dict[str, Any]:
        if self._lost:
            shown["gap"] = {"lost": sum(self._lost.values()), "where": sorted(self._lost)}
            self._lost = {}
        return shown


def live_event(event: dict[str, Any], named: Named) -> dict[str, Any]:
    """A hit in the live stream's spelling, which isn't REST's."""
    shown: dict[str, Any] = {
        "metricId": named.metric,
        "metricName": named.name,
        "timestamp": event["time_ns"] // 1000,
        "values": [
            {"expression": name, "valueJson": value.text, **_typed(value.typed)}
            for name, value in values_of(event)
        ],
        "connectionId": named.connection,
    }
    error = error_of(event)
    if error is not None:
        shown["error"] = error
    stack = stack_of(event, named)
    if stack is not None:
        frames = [{k: v for k, v in each.items() if v is not None} for each in stack["frames"]]
        taken = len(_stack_taken(event))
        shown["stackTrace"] = {
            "frames": frames,
            "total_frames": taken,
            "truncated": len(frames) < taken,
        }
    snapshot = locals_of(event, named)
    if snapshot is not None:
        shown["memorySnapshot"] = {
            "locals": [
                {
                    "name": each["name"],
                    "value": each["value"],
                    "var_type": each["type"],
                    "scope": "local",
                }
                for each in snapshot["locals"]
            ],
            "scope": "local",
        }
    return shown


def _stack_taken(event: dict[str, Any]) -> list[Any]:
    stack = event["values"]["snapshot"].get("stack", [])
    return stack if isinstance(stack, list) else []


def _typed(projection: dict[str, Any] | None) -> dict[str, Any]:
    names = {
        "numericValue": "valueNumeric",
        "stringValue": "valueString",
        "boolValue": "valueBoolean",
    }
    return {names[key]: value for key, value in (projection or {}).items()}


def _too_many() -> DaemonError:
    return DaemonError(
        f"This peer has {MAX_SOCKETS} sockets open already.",
        "Close one of them; one socket can tell of all metrics.",
        slug="request-rate",
    )
