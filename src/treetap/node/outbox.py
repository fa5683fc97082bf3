"""Frames on their way to the daemon: encoded, bounded, kept whole across a broken link."""

from __future__ import annotations

from treetap.interpreter import deque
from treetap.model.captured import NotCaptured, not_captured
from treetap.node import plain
from treetap.wire import codec, frame
from treetap.wire.message import BATCH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treetap.link.connection import LinkConnection
    from treetap.model.status import Batch

#: No more is taken out of the rings while so much waits: there it is dropped oldest first.
FULL_BYTES = 1024 * 1024
#: A message beyond this is cut in two; well below what a frame may hold.
MAX_MESSAGE_BYTES = 4 * 1024 * 1024


class Outbox:
    """A queue of packed frames. One thread uses it."""

    def __init__(self) -> None:
        self._encoder = codec.Encoder()
        self._frames: deque[bytes] = deque()
        self._sent_bytes = 0
        self.pending_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._frames)

    @property
    def is_full(self) -> bool:
        """Whether to leave the rest in the rings for now."""
        return self.pending_bytes >= FULL_BYTES

    def quicken(self) -> None:
        """Take the time to load the quicker encoding."""
        self._encoder.prefer_msgpack()

    def add(self, message: Any) -> None:
        """Queue a message of plain data."""
        self._append(frame.pack(self._encoder.encode(message)))

    def add_batch(self, batch: Batch, max_chars: int) -> None:
        """Queue a batch; whatever its rows hold, it goes."""
        rows = plain.fit_rows(batch.rows, max_chars)
        self._add_rows(batch.probe_id, batch.first_number, rows, max_chars)

    def push(self, connection: LinkConnection) -> int:
        """Send what can be sent without waiting; returns how many bytes.

        Raises:
            LinkError: The link broke. The frame that was cut is sent again, whole, by the
                next one.
        """
        total = 0
        while self._frames:
            first = self._frames[0]
            sent = connection.send_some(memoryview(first)[self._sent_bytes :])
            total += sent
            self._sent_bytes += sent
            if self._sent_bytes < len(first):
                break
            self._frames.popleft()
            self.pending_bytes -= len(first)
            self._sent_bytes = 0
        return total

    def start_over(self) -> None:
        """The next link begins with a whole frame."""
        self._sent_bytes = 0

    def _append(self, packed: bytes) -> None:
        self._frames.append(packed)
        self.pending_bytes += len(packed)

    def _add_rows(self, probe_id: str, number: int, rows: list[Any], max_chars: int) -> None:
        try:
            payload = self._encoder.encode([BATCH, probe_id, number, rows])
        except Exception:  # noqa: BLE001 - whatever can't be encoded is made plain
            rows = plain.plain_rows(rows, max_chars)
            payload = self._encoder.encode([BATCH, probe_id, number, rows])
        if len(payload) <= MAX_MESSAGE_BYTES:
            self._append(frame.pack(payload))
        elif len(rows) > 1:
            half = len(rows) // 2
            self._add_rows(probe_id, number, rows[:half], max_chars)
            self._add_rows(probe_id, number + half, rows[half:], max_chars)
        else:
            time_ns, *values = rows[0]
            row = [time_ns, *(not_captured(NotCaptured.SIZE) for _ in values)]
            self._append(frame.pack(self._encoder.encode([BATCH, probe_id, number, [row]])))
