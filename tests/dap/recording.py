"""What an adapter that isn't everywhere really said, to be said again by a server of ours.

A recording is made by hand, where delve or lldb-dap is::

    python -m tests.dap.recording go
    python -m tests.dap.recording c
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.dap.fake_adapter import Peer, frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HERE = Path(__file__).parent / "recordings"


def file_of(language: str) -> Path:
    return HERE / {"go": "delve-1.20.2.jsonl", "c": "lldb-vscode-14.0.6.jsonl"}[language]


def _asked(message: dict[str, Any]) -> tuple[str, str]:
    """What makes two requests the same."""
    arguments = message.get("arguments") or {}
    what = {
        name: arguments[name] for name in ("expression", "variablesReference") if name in arguments
    }
    return message["command"], json.dumps(what)


class Replay:
    """Answers each request as it was answered when it was recorded, and repeats the events after it."""

    def __init__(self, file: Path) -> None:
        self.exchanges: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
        of_request: dict[int, list[dict[str, Any]]] = {}
        after: list[dict[str, Any]] = []
        for line in file.read_text(encoding="utf-8").splitlines():
            direction, message = json.loads(line)
            if direction == ">":
                of_request[message["seq"]] = after = []
                self.exchanges.append((message, after))
            else:
                # An event comes again after what came before it.
                after = of_request[message["request_seq"]] if "request_seq" in message else after
                after.append(message)

    async def __call__(self, peer: Peer) -> None:
        left = list(self.exchanges)
        while True:
            request = await peer.request()
            same = [each for each in left if _asked(each[0]) == _asked(request)]
            if not same:
                peer.answer(request, body={})
                continue
            left.remove(same[0])
            for message in same[0][1]:
                if message["type"] == "response":
                    message = {**message, "request_seq": request["seq"]}
                peer.writer.write(frame(message))


@contextlib.asynccontextmanager
async def recorder(port: int, file: Path, directory: Path) -> AsyncIterator[int]:
    """A port that passes all on to ``port``, and writes it down, without the name of a directory."""
    lines: list[tuple[str, Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = Peer(*await asyncio.open_connection("127.0.0.1", port))
        client = Peer(reader, writer)

        async def requests() -> None:
            while True:
                message = await client.request()
                lines.append((">", message))
                upstream.writer.write(frame(message))

        async def answers() -> None:
            while True:
                message = await upstream.request()
                lines.append(("<", message))
                writer.write(frame(message))

        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await asyncio.gather(requests(), answers())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    HERE.mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    file.write_text(text.replace(str(directory), "/srv/shop"), encoding="utf-8")


async def record(language: str, directory: Path) -> None:
    from tests.dap.test_by_stopping import observe, running

    async with running(language, directory) as (port, pid):
        async with recorder(port, file_of(language), directory) as seen:
            await observe(language, seen, pid)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(record(sys.argv[1], Path(directory)))
