"""``/api/v2/events/stream``: what happens, as it happens, as server-sent events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec.json
from starlette.responses import StreamingResponse
from starlette.routing import Route

from treetap.api.answer import bad_query
from treetap.daemon.feed import FeedFilter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from treetap.daemon import Daemon
    from treetap.daemon.feed import Feed

_encode = msgspec.json.Encoder().encode


def routes(daemon: Daemon) -> list[Route]:
    async def stream(request: Request) -> StreamingResponse:
        """Hits, losses, and changes of probes and nodes."""
        wanted = _filter(daemon, request)
        return StreamingResponse(
            _lines(daemon.feed, wanted, daemon.configuration.current.stream.heartbeat_s),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    return [Route("/api/v2/events/stream", stream, methods=["GET"])]


async def _lines(feed: Feed, wanted: FeedFilter, heartbeat_s: float) -> AsyncIterator[bytes]:
    """Args:
    heartbeat_s: A comment goes out after so long a silence: both ends see a dead connection.
    """
    # Begun here: if the client is gone before the first line, nothing of this ever runs.
    listener = feed.listen(wanted)
    try:
        # Says that everything from here on will be told.
        yield b": listening\n\n"
        while (events := await listener.next(heartbeat_s)) is not None:
            yield b"".join(map(_line, events)) if events else b": heartbeat\n\n"
    finally:
        listener.close()


def _line(event: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["kind"].encode(), _encode(event))


def _filter(daemon: Daemon, request: Request) -> FeedFilter:
    query = request.query_params
    pid = query.get("pid", "")
    if pid and not (pid.isascii() and pid.isdigit() and len(pid) < 20):
        raise bad_query("pid", pid, "a process id")
    probe = query.get("probe")
    return FeedFilter(
        probe=daemon.registry.get(probe).probe.id if probe else None,
        node=query.get("node") or None,
        tree=query.get("tree") or None,
        pid=int(pid) if pid else None,
        name=query.get("name") or None,
    )
