"""A party's connection to the broker: what it is told, in order, and what it says."""

from __future__ import annotations

import contextlib
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Any

from treetap.debug import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from treetap.debug.place import Place

_ANSWER_TIMEOUT_S = 5.0
#: How often it is seen to that waiting makes sense still; and a signal that comes between two looks
#: is acted on.
_LOOK_S = 0.25
#: In one message.
_MAX_FDS = 4


class Channel:
    """Args:
    place: Of the broker.
    note: Called with each message that nobody waits for.
    """

    def __init__(self, place: Place, note: Callable[[dict[str, Any]], None]) -> None:
        self._place = place
        self._note = note
        self._connection: socket.socket | None = None
        self._lines = message.Lines()
        self._heard: deque[dict[str, Any]] = deque()
        self._fds: list[int] = []

    def open(self) -> None:
        """Connect, unless that is done; a broker is started if there is none.

        Raises:
            OSError: There is none, and none can be.
            PauseError: Likewise.
        """
        if self._connection is None:
            self._connection = self._place.connect()

    def close(self) -> None:
        """Forget all that was heard. Idempotent."""
        connection, self._connection = self._connection, None
        self._lines = message.Lines()
        self._heard.clear()
        while self._fds:
            os.close(self._fds.pop())
        if connection is not None:
            connection.close()

    def send(self, kind: str, **content: Any) -> None:
        """Tell the broker something; OSError if it has ended."""
        self._connected().sendall(message.encode(kind, **content))

    def wait_for(self, *kinds: str, meanwhile: Callable[[], None] | None = None) -> dict[str, Any]:
        """The first message of these kinds; OSError if the broker ends, or is silent.

        With ``meanwhile``, which is called now and then, there is no limit but what it raises.
        """
        connection = self._connected()
        connection.settimeout(_ANSWER_TIMEOUT_S if meanwhile is None else _LOOK_S)
        while True:
            while self._heard:
                heard = self._heard.popleft()
                if heard["is"] in kinds:
                    return heard
                self._note(heard)
            try:
                received, fds, _, _ = socket.recv_fds(connection, 65536, _MAX_FDS)
            except TimeoutError:
                if meanwhile is None:
                    raise
                meanwhile()
                continue
            for fd in fds:
                os.set_inheritable(fd, False)
            self._fds += fds
            if not received:
                raise ConnectionError("it has ended")
            try:
                self._heard.extend(self._lines.feed(received))
            except ValueError as exc:
                raise ConnectionError("it talks nonsense") from exc

    def look(self) -> None:
        """Hear what the broker has said meanwhile."""
        connection = self._connection
        if connection is None:
            return
        connection.setblocking(False)
        with contextlib.suppress(OSError, ValueError):
            while received := connection.recv(65536):
                self._heard.extend(self._lines.feed(received))
        while self._heard:
            self._note(self._heard.popleft())

    def has_heard(self, kind: str) -> bool:
        """Whether such a message is there already."""
        return any(heard["is"] == kind for heard in self._heard)

    def take_fd(self) -> int:
        """The first descriptor that came with a message; ConnectionError for none."""
        if not self._fds:
            raise ConnectionError("the channel is lost")
        return self._fds.pop(0)

    def _connected(self) -> socket.socket:
        if self._connection is None:
            raise ConnectionError("no broker")
        return self._connection
