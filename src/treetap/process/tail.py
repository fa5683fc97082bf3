"""The beginning and the end of a stream of any length, in bounded memory."""

from __future__ import annotations


class HeadAndTail:
    """Keeps the first and the last bytes of what it is given.

    Args:
        head_bytes: How much of the beginning to keep.
        tail_bytes: How much of the end to keep.
    """

    def __init__(self, head_bytes: int = 16384, tail_bytes: int = 16384) -> None:
        self._head_bytes = head_bytes
        self._tail_bytes = tail_bytes
        self._head = bytearray()
        self._tail = bytearray()
        self.total_bytes = 0

    @property
    def left_out_bytes(self) -> int:
        return self.total_bytes - len(self._head) - min(len(self._tail), self._tail_bytes)

    def add(self, chunk: bytes) -> None:
        self.total_bytes += len(chunk)
        room = self._head_bytes - len(self._head)
        if room > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        if len(chunk) >= self._tail_bytes:
            self._tail[:] = chunk[len(chunk) - self._tail_bytes :]
            return
        self._tail += chunk
        # Not at each chunk: a stream of small ones would move the tail for every one of them.
        if len(self._tail) > 2 * self._tail_bytes:
            del self._tail[: len(self._tail) - self._tail_bytes]

    def __bytes__(self) -> bytes:
        """What was kept, with a line between the two that says how much isn't there."""
        left_out = self.left_out_bytes
        if not left_out:
            return bytes(self._head + self._tail)
        tail = self._tail[max(0, len(self._tail) - self._tail_bytes) :]
        marker = b"\n[... %d bytes are left out here ...]\n" % left_out
        return bytes(self._head) + marker + bytes(tail)
