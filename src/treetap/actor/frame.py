"""Cutting a byte stream into frames, and putting frames into a byte stream.

No I/O here. Both directions are made for many frames at once: what is sent is gathered until it is
flushed, what is received is parsed in place.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from treetap.actor.message import COUNTED, HEADER
from treetap.errors import LinkError, PayloadError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FRAME_BYTES = 64 * 1024 * 1024
#: What a reader asks the kernel for at once.
CHUNK_BYTES = 256 * 1024
#: A body of this size or more is handed to the kernel as it is, without being copied before.
LARGE_BYTES = 16 * 1024
#: The kernel takes no more pieces than that in one call; POSIX allows as few as 16.
MAX_PIECES = 16


class Inbox:
    """Received bytes, in a buffer that the kernel writes into.

    Args:
        max_frame_bytes: A frame that announces more ends the connection.
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._view = memoryview(bytearray(CHUNK_BYTES))
        self._start = 0
        self._end = 0
        self._needed = HEADER.size

    @property
    def torn(self) -> bool:
        """Whether there is the beginning of a frame, whose rest is missing."""
        return self._end > self._start

    def room(self) -> memoryview:
        """Where the next bytes are to be put; never empty."""
        start, end, view = self._start, self._end, self._view
        size, held = len(view), end - start
        if not held:
            if size > CHUNK_BYTES:
                self._view = view = memoryview(bytearray(CHUNK_BYTES))
            self._start = self._end = 0
        elif start + min(self._needed, size) > size or end == size:
            target = view
            if held == size:
                # Announced isn't sent: memory is given out as the bytes come.
                target = memoryview(bytearray(max(size + 1, min(self._needed, 2 * size))))
            target[:held] = view[start:end]
            self._view = view = target
            self._start, self._end = 0, held
        return view[self._end :]

    def received(self, count: int) -> None:
        self._end += count

    def frames(self) -> Iterator[tuple[int, int, bytes]]:
        """Take out ``(kind, number, body)`` of each frame that is complete.

        Raises:
            LinkError: The length of a frame is none that a frame can have.
        """
        view, start, end = self._view, self._start, self._end
        unpack, header_bytes = HEADER.unpack_from, HEADER.size
        max_length = self._max_frame_bytes + COUNTED
        try:
            while end - start >= header_bytes:
                length, kind, number = unpack(view, start)
                if not COUNTED <= length <= max_length:
                    raise _impossible(length, max_length)
                after = start + 4 + length
                if after > end:
                    self._needed = after - start
                    return
                body = bytes(view[start + header_bytes : after])
                start = after
                yield kind, number, body
            self._needed = header_bytes
        finally:
            self._start = start


class Outbox:
    """Frames to be sent, gathered.

    Attributes:
        size_bytes: What waits here.
        max_frame_bytes: A larger body is refused.
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self.max_frame_bytes = max_frame_bytes
        self.size_bytes = 0
        #: What goes out before ``_recent``, in order.
        self._pieces: deque[bytes | memoryview] = deque()
        self._recent = bytearray()

    def put(self, kind: int, number: int, body: bytes = b"") -> None:
        """Append a frame; all of it, or, when it is too large, nothing.

        Raises:
            PayloadError: The body is larger than a frame may be.
        """
        length = len(body)
        if length > self.max_frame_bytes:
            raise PayloadError(
                f"A value of {length} bytes is too large to cross to another actor.",
                f"A message has at most {self.max_frame_bytes} bytes. Send it in pieces over a "
                "stream, or say where it lies.",
                slug="payload-size",
            )
        recent = self._recent
        recent += HEADER.pack(length + COUNTED, kind, number)
        if length < LARGE_BYTES:
            recent += body
        else:
            self._pieces.append(bytes(recent))
            self._pieces.append(body)
            self._recent = bytearray()
        self.size_bytes += length + HEADER.size

    def pieces(self) -> list[bytes | bytearray | memoryview]:
        """The first pieces of what waits, as many as the kernel takes; ``[]`` if nothing does."""
        if not self._pieces:
            return [self._recent] if self._recent else []
        found: list[bytes | bytearray | memoryview] = list(islice(self._pieces, MAX_PIECES))
        if len(self._pieces) < MAX_PIECES and self._recent:
            found.append(self._recent)
        return found

    def sent(self, count: int) -> None:
        """Drop the first ``count`` bytes: the kernel has them."""
        self.size_bytes -= count
        pieces = self._pieces
        while pieces and count >= len(pieces[0]):
            count -= len(pieces.popleft())
        if pieces:
            if count:
                pieces[0] = memoryview(pieces[0])[count:]
        elif count:
            del self._recent[:count]

    def clear(self) -> None:
        self._pieces.clear()
        self._recent = bytearray()
        self.size_bytes = 0


def _impossible(length: int, max_length: int) -> LinkError:
    return LinkError(
        f"The other side announced a frame of {length} bytes; this is not a channel of actors.",
        f"A frame has {COUNTED} to {max_length} bytes.",
        slug="link-frame",
    )
