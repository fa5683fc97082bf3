"""The bytes between two actors: a plain socket, or anything that trio calls a stream.

A plain socket is driven without trio's streams, whose locks and checkpoints cost more than the
system call: what can go out at once goes out at once, from whichever task has something to say.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Protocol

import trio

if TYPE_CHECKING:
    from collections.abc import Sequence

    Piece = bytes | bytearray | memoryview


class Pipe(Protocol):
    """Both directions; one task reads, any task writes, one task waits to write."""

    async def receive_into(self, room: memoryview) -> int:
        """Wait for bytes; 0 is the end. Is a checkpoint.

        Raises:
            OSError: The connection is broken.
        """
        ...

    def send_now(self, pieces: Sequence[Piece]) -> int:
        """Send what can be sent without waiting; how many bytes that was.

        Raises:
            OSError: The connection is broken.
        """
        ...

    async def send_some(self, pieces: Sequence[Piece]) -> int:
        """Wait until something can be sent, and send it; how many bytes that was.

        Raises:
            OSError: The connection is broken.
        """
        ...

    async def aclose(self) -> None:
        """Close it, without waiting; the other side reads what was sent, and then the end."""
        ...


def pipe_of(stream: socket.socket | trio.SocketStream | trio.abc.Stream) -> Pipe:
    """Take ``stream`` over. A trio stream over a plain socket is of no use afterwards."""
    if isinstance(stream, socket.socket):
        return SocketPipe(stream)
    if isinstance(stream, trio.SocketStream):
        return SocketPipe(socket.socket(fileno=stream.socket.detach()))
    return StreamPipe(stream)


class SocketPipe:
    """A connected stream socket, Unix or TCP. Owns it."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            # What is to go out together is gathered here; the kernel need not wait for more.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        #: The last read left nothing behind, so that another one would be in vain.
        self._is_drained = True

    async def receive_into(self, room: memoryview) -> int:
        sock = self._sock
        if self._is_drained:
            await trio.lowlevel.wait_readable(sock)
        else:
            await trio.lowlevel.checkpoint()
        while True:
            try:
                count = sock.recv_into(room)
            except (BlockingIOError, InterruptedError):
                await trio.lowlevel.wait_readable(sock)
            else:
                self._is_drained = count < len(room)
                return count

    def send_now(self, pieces: Sequence[Piece]) -> int:
        try:
            if len(pieces) == 1:
                return self._sock.send(pieces[0])
            return self._sock.sendmsg(pieces)
        except (BlockingIOError, InterruptedError):
            return 0

    async def send_some(self, pieces: Sequence[Piece]) -> int:
        await trio.lowlevel.wait_writable(self._sock)
        return self.send_now(pieces)

    async def aclose(self) -> None:
        if self._sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()


class StreamPipe:
    """Any trio stream; TLS above all. Owns it."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._left: bytes | bytearray | memoryview = b""

    async def receive_into(self, room: memoryview) -> int:
        left = self._left
        if left:
            await trio.lowlevel.checkpoint()
        else:
            try:
                left = await self._stream.receive_some(len(room))
            except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
                raise _broken(exc) from exc
        count = min(len(left), len(room))
        room[:count] = left[:count]
        self._left = left[count:]
        return count

    def send_now(self, pieces: Sequence[Piece]) -> int:
        return 0

    async def send_some(self, pieces: Sequence[Piece]) -> int:
        together = b"".join(pieces)
        try:
            await self._stream.send_all(together)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise _broken(exc) from exc
        return len(together)

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self._stream)


def _broken(exc: Exception) -> ConnectionError:
    """What a trio stream says, as a socket says it; with the reason, which is a step further."""
    return ConnectionError(str(exc) or str(exc.__cause__ or type(exc).__name__))
