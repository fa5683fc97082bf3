"""A console whose lines come from a pipe or a file: ``echo c | treetap answer``."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from treetap.debug import message
from treetap.debug.console import DONE, LEFT

if TYPE_CHECKING:
    import socket


class PipedConsole:
    """Args:
    channel: To the party.
    lines: What is typed; its end leaves the prompt.
    out: For what the prompt says.
    """

    def __init__(self, channel: socket.socket, lines: IO[str], out: IO[str]) -> None:
        self._channel = channel
        self._typed = lines
        self._out = out
        self._lines = message.Lines()

    def run(self) -> str:
        """Serve until the party is done, or there are no lines any more; returns which."""
        with self._channel as channel:
            while True:
                try:
                    received = channel.recv(65536)
                    if not received:
                        return DONE
                    for heard in self._lines.feed(received):
                        if heard["is"] == message.TEXT:
                            self._write(heard["text"])
                        elif heard["is"] == message.ASK:
                            line = self._typed.readline()
                            if not line:
                                return LEFT
                            self._write(f"{heard['prompt']}{line}")
                            channel.sendall(message.encode(message.LINE, text=line))
                except (OSError, ValueError):
                    return DONE

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
