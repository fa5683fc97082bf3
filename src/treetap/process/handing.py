"""Lines of a program as values, into a memory channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import trio

if TYPE_CHECKING:
    from treetap.process.lines import Block, Kind

Stream: TypeAlias = Literal["out", "err"]


class Line(NamedTuple):
    r"""A piece of what a program wrote.

    Attributes:
        text: Without its end, and with its control characters. What isn't UTF-8 is replaced.
        stream: ``"out"`` or ``"err"``; of merged streams ``"out"``.
        kind: ``"line"``; ``"update"``: a ``\r`` ended it, the next one is drawn over it;
            ``"prompt"``: it has no end yet; ``"cut"``: longer than ``max_line_bytes``, it goes on;
            ``"rest"``: the end of such a line.
    """

    text: str
    stream: Stream
    kind: Kind = "line"


class ChannelSink:
    """One stream of a program, sent as :class:`Line` values.

    Who doesn't receive makes the program wait, as at any pipe; who has closed the receiving end makes
    it lose its lines, and nothing else.
    """

    def __init__(self, channel: trio.MemorySendChannel[Line], stream: Stream) -> None:
        self._channel = channel
        self._stream = stream
        self._is_closed = False

    async def take(self, block: Block) -> None:
        for text in block.texts:
            if self._is_closed:
                return
            line = Line(text, self._stream, block.kind)
            try:
                try:
                    self._channel.send_nowait(line)
                except trio.WouldBlock:
                    await self._channel.send(line)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._is_closed = True

    def close(self) -> None:
        """Nothing: the other stream may use the channel still. Its supervisor closes it."""
