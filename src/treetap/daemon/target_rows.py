"""The rows of one probe in one target, from the adapter's hits to the batches of a link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec.json

from treetap.model.captured import NotCaptured, not_captured
from treetap.wire.message import BATCH

if TYPE_CHECKING:
    from treetap.dap import Hit

_ROW_BYTES = 100


class Rows:
    """Gathers rows until they are taken; a gap in the hits' numbers begins another batch."""

    def __init__(self, probe_id: str, *, takes_snapshot: bool) -> None:
        self._probe_id = probe_id
        self._takes_snapshot = takes_snapshot
        self._batches: list[tuple[int, list[list[Any]]]] = []
        self._next = -1

    def add(self, hit: Hit) -> None:
        row = [hit.time_ns, *hit.values]
        if self._takes_snapshot:
            row.append(hit.snapshot or not_captured(NotCaptured.ERROR))
        if hit.number != self._next or not self._batches:
            self._batches.append((hit.number, []))
        self._batches[-1][1].append(row)
        self._next = hit.number + 1

    def take(self) -> list[Message]:
        """What there is, as messages of a link."""
        batches, self._batches = self._batches, []
        return [_message(self._probe_id, first, rows) for first, rows in batches]


class Message(NamedTuple):
    """Attributes:
    content: A batch, see ``wire.message``.
    size_bytes: What it would take on a link.
    """

    content: list[Any]
    size_bytes: int


def _message(probe_id: str, first_number: int, rows: list[list[Any]]) -> Message:
    # The store bounds what waits for it by bytes; nothing else here knows how large a value is.
    try:
        size_bytes = len(msgspec.json.encode(rows))
    except (ValueError, TypeError):
        # The store will say that it can't take it.
        size_bytes = _ROW_BYTES * len(rows)
    return Message([BATCH, probe_id, first_number, rows], size_bytes)
