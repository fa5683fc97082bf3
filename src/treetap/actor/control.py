"""The control sockets: what the spawner and the actors of its tree say to each other.

A message is four bytes of length (big-endian) and a JSON object; descriptors come beside it. Its
``op`` says what it is, ``uid`` which actor it is about.

From an actor, or the root:

=========  =====================================================================================
``spawn``  a child, with the fields of ``spawning.Order``; descriptors: channel, cwd, stdout, stderr
``ask``    whether one's child can be ended now, or somebody there is at a prompt
``kill``   one's child, now; what it leaves is ended as any orphan is
``end``    one's child was asked to end: kill what is left of it after ``grace_s`` a level of depth
``find``   an actor by ``name``, ``wait`` for it if there is none; descriptor: a channel to hand over
``quit``   (of a search) by ``uid``, that it isn't wanted any more
``fail``   why this process couldn't become an actor, as ``text``
``up``     this process is an actor now, and can be found
=========  =====================================================================================

From the spawner:

============  ==================================================================================
``spawned``   it has a ``pid``
``refused``   it can't be: ``text`` says why
``exited``    its process ended with ``status`` (negative: a signal); ``text`` if it said why
``held``      it isn't to be ended yet: ``by`` says who is at a prompt, or waits for one
``free``      it can be ended
``gone``      and nothing that it had started is left either
``found``     by a search of this ``uid``: ``actor``, or null for nobody
``incoming``  somebody wants to speak to this actor; descriptor: the channel
``birth``     (fresh ones) the fields of the order
============  ==================================================================================

The spawner imports this, so it takes the standard library alone.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_LENGTH = struct.Struct(">I")
#: An environment is the largest thing in it, and the kernel takes 2 MiB of that (see execve(2)).
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
#: In one ``sendmsg``; the kernel's limit is 253 (SCM_MAX_FD).
MAX_DESCRIPTORS = 16
_READ_BYTES = 65536
_ANCILLARY_BYTES = socket.CMSG_SPACE(MAX_DESCRIPTORS * array("i").itemsize)
#: So that none leaks into a program that another thread is starting. (``socket.recv_fds`` takes
#: flags, and leaves them out: seen on 3.11 to 3.13.)
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def encode(fields: dict[str, Any]) -> bytes:
    """A message, ready to be sent."""
    body = json.dumps(fields, separators=(",", ":")).encode("ascii")
    return _LENGTH.pack(len(body)) + body


class ControlInbox:
    """Receives messages from a control socket that doesn't block, and the descriptors with them."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self._descriptors: list[int] = []

    def receive(self) -> list[tuple[dict[str, Any], list[int]]] | None:
        """The messages that are there; ``None`` when the other end is closed or talks nonsense.

        Raises:
            BlockingIOError: There is nothing to read.
        """
        try:
            chunk, ancillary, _flags, _address = self._sock.recvmsg(
                _READ_BYTES, _ANCILLARY_BYTES, _CLOSE_ON_EXEC
            )
        except BlockingIOError:
            raise
        except OSError:
            return None
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                found = array("i")
                found.frombytes(content[: len(content) - len(content) % found.itemsize])
                self._descriptors += found
                if not _CLOSE_ON_EXEC:
                    for descriptor in found:
                        os.set_inheritable(descriptor, False)
        if not chunk:
            return None
        self._buffer += chunk
        try:
            return list(self._messages())
        except (ValueError, TypeError, KeyError):
            return None

    def close(self) -> None:
        """Close the descriptors that nobody took."""
        close_all(self._descriptors)
        self._descriptors = []

    def _messages(self) -> Iterator[tuple[dict[str, Any], list[int]]]:
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MAX_MESSAGE_BYTES:
                raise ValueError("a control message is too long")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            fields = json.loads(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            if not isinstance(fields, dict):
                raise TypeError("a control message is no object")
            count = int(fields.pop("fds", 0))
            if not 0 <= count <= len(self._descriptors):
                raise ValueError("a control message lacks its descriptors")
            taken = self._descriptors[:count]
            del self._descriptors[:count]
            yield fields, taken


class ControlOutbox:
    """What waits to be sent on a control socket that doesn't block. Owns the descriptors in it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._waiting: list[tuple[memoryview, list[int]]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, fields: dict[str, Any], descriptors: list[int] | None = None) -> None:
        """Have a message sent. The descriptors are closed when they are over there."""
        if descriptors:
            fields = {**fields, "fds": len(descriptors)}
        self._waiting.append((memoryview(encode(fields)), descriptors or []))

    def flush(self) -> None:
        """Send what can be sent now.

        Raises:
            OSError: The other end is gone.
        """
        while self._waiting:
            content, descriptors = self._waiting[0]
            try:
                if descriptors:
                    count = socket.send_fds(self._sock, [content], descriptors)
                else:
                    count = self._sock.send(content)
            except BlockingIOError:
                return
            close_all(descriptors)
            if count < len(content):
                self._waiting[0] = content[count:], []
            else:
                del self._waiting[0]

    def close(self) -> None:
        """Forget what waits."""
        for _content, descriptors in self._waiting:
            close_all(descriptors)
        self._waiting = []


def close_all(descriptors: list[int]) -> None:
    """Close each; one that is closed already is none of our concern."""
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            pass
