"""Stands for a tree's broker, for those who only ask it who holds and who waits."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

from treetap.debug import message
from treetap.debug.place import Place

if TYPE_CHECKING:
    from pathlib import Path


class FakeBroker:
    """A socket at the place of a tree's broker, in its own words.

    Args:
        home: Of treetap.
        tree: Id of the tree.
    """

    def __init__(self, home: Path, tree: str) -> None:
        self._standings: list[dict[str, Any]] = []
        directory = home / "run" / "debug"
        directory.mkdir(parents=True, exist_ok=True)
        self._listener = Place(str(directory), tree, 0).listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def hold(self, *pids: int) -> None:
        """The first of these holds, the others wait."""
        self._standings = [
            {"pid": pid, "label": f"p{place} ({pid})", "state": "waiting" if place else "holding",
             "place": place, "since_s": 1.0, "by": "", "id": place + 1}
            for place, pid in enumerate(pids)
        ]  # fmt: skip

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):  # who asked may be gone
                connection.recv(4096)
                connection.sendall(message.encode(message.STANDINGS, standings=self._standings))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
