"""A server of our own in the place of an adapter: it does what a test tells it, right or wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


def frame(message: dict[str, Any]) -> bytes:
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Peer:
    """One client of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def request(self) -> dict[str, Any]:
        header = await self.reader.readuntil(b"\r\n\r\n")
        return json.loads(await self.reader.readexactly(int(header.split(b":")[1])))

    def send(self, message: dict[str, Any]) -> None:
        self.writer.write(frame({"seq": 1, **message}))

    def answer(self, request: dict[str, Any], **more: Any) -> None:
        self.send(
            {
                "type": "response",
                "request_seq": request["seq"],
                "command": request["command"],
                "success": True,
                **more,
            }
        )


@contextlib.asynccontextmanager
async def adapter(
    behave: Callable[[Peer], Awaitable[None]], host: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """Serve each client with ``behave``, then hang up; gives the port."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        serving.add(task)
        # asyncio's streams take a cancelled server task for a failed one (3.11, 3.12).
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
        ):
            await behave(Peer(reader, writer))
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, host, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def answer_all(peer: Peer, **answers: dict[str, Any]) -> None:
    """Say yes to all; with what ``answers`` has for a command. Unasked, it is ready after *attach*."""
    while True:
        request = await peer.request()
        command = request["command"]
        peer.answer(request, **answers.get(command, {}))
        if command == "attach":
            peer.send({"type": "event", "event": "initialized"})
