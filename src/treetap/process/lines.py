r"""Bytes into lines, as they come: no I/O, no clock, linear in size, bounded in memory.

What ends a line, and what kind of piece that makes:

====================  ==============================================================================
``\n``, ``\r\n``      a ``line``. Several ``\r`` before the ``\n`` belong to it, as terminals have it
``\r`` alone          an ``update``: what was drawn is about to be drawn over (a progress bar)
a quiet moment        a ``prompt``: the caller's clock says so, by :meth:`LineSplitter.quiet`
``max_line_bytes``    a ``cut`` piece; the end of such a line is its ``rest``
the end               a ``line``
====================  ==============================================================================

Chunks without a lone ``\r``, which is nearly all there are, take a way on which each step is one call
for the whole chunk: find the last newline, decode, split.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["line", "update", "prompt", "cut", "rest"]

#: Longer than this, what has no end yet is no prompt: it waits for its end.
MAX_PROMPT_BYTES = 4096

#: The least that ``max_line_bytes`` may be: a piece has room for any character.
MIN_LINE_BYTES = 64

_RETURNS_AND_NEWLINE = re.compile(rb"(?<!\r)\r+\n")  # (?<!\r): each run is looked at once


class Block(NamedTuple):
    """Successive pieces of one kind.

    Attributes:
        kind: What ended each of them.
        texts: Without what ended them. What isn't UTF-8 is replaced.
    """

    kind: Kind
    texts: list[str]


class LineSplitter:
    """What one stream has said so far, since the last end of a line.

    Args:
        max_line_bytes: A longer line is cut into pieces of at most this; at least
            ``MIN_LINE_BYTES``.
    """

    def __init__(self, max_line_bytes: int = 1 << 20) -> None:
        self._max = max_line_bytes
        self._begun = bytearray()
        # The line that begins with _begun has been cut before.
        self._is_rest = False
        # What was just given away counts as a line, so that the "\r\n" that follows ends nothing.
        self._is_ended = False

    @property
    def may_be_prompt(self) -> bool:
        """Whether there is something that a person may be waiting to see."""
        return not self._is_rest and 0 < self._whole_bytes <= MAX_PROMPT_BYTES

    @property
    def _whole_bytes(self) -> int:
        """How much has begun, without half a character at the end."""
        return len(self._begun) - _cut_off_bytes(self._begun)

    def feed(self, chunk: bytes) -> list[Block]:
        """Take in what was read; give the pieces that it completes."""
        if b"\r" in chunk:
            chunk = _RETURNS_AND_NEWLINE.sub(b"\n", chunk)
        if self._is_ended:
            chunk = self._without_late_end(chunk)
        blocks: list[Block] = []
        if b"\r" in chunk:
            self._feed_updates(chunk, blocks)
        else:
            self._feed_lines(chunk, blocks)
        return _joined(blocks) if len(blocks) > 1 else blocks

    def quiet(self) -> list[Block]:
        """Nothing has come for a while: give what may be a prompt, but not half a character."""
        if not self.may_be_prompt:
            return []
        whole = self._whole_bytes
        text = self._begun[:whole].decode("utf-8", "replace")
        del self._begun[:whole]
        self._is_ended = not self._begun
        return [Block("prompt", [text])]

    def finish(self) -> list[Block]:
        """The stream is at its end; give what there is left."""
        if not self._begun:
            return []
        blocks: list[Block] = []
        self._feed_lines(b"\n", blocks)
        return blocks

    def _without_late_end(self, chunk: bytes) -> bytes:
        rest = chunk.lstrip(b"\r")
        if rest:
            self._is_ended = False
        # "\r" before text is nothing to this line either: it is at its beginning already.
        return rest[1:] if rest.startswith(b"\n") else rest

    def _feed_lines(self, chunk: bytes, blocks: list[Block]) -> None:
        r"""Take in a chunk that has no ``\r`` in it."""
        begun = self._begun
        end = chunk.rfind(b"\n")
        if end < 0:
            begun += chunk
        elif len(begun) + end <= self._max:
            whole = bytes(begun) + chunk[:end] if begun else chunk[:end]
            begun.clear()
            begun += chunk[end + 1 :]
            self._give(blocks, whole)
        else:
            self._feed_long_lines(chunk, end, blocks)
        if len(begun) > self._max:
            self._cut(blocks)

    def _give(self, blocks: list[Block], whole: bytes) -> None:
        # A newline is a newline in invalid UTF-8 too, so that all lines are decoded at once.
        texts = whole.decode("utf-8", "replace").split("\n")
        if self._is_rest:
            self._is_rest = False
            blocks.append(Block("rest", texts[:1]))
            texts = texts[1:]
        if texts:
            blocks.append(Block("line", texts))

    def _feed_long_lines(self, chunk: bytes, end: int, blocks: list[Block]) -> None:
        """Line by line, for one of them is too long."""
        *lines, last = chunk.split(b"\n")
        for line in lines:
            self._begun += line
            if len(self._begun) > self._max:
                self._cut(blocks)
            whole = bytes(self._begun)
            self._begun.clear()
            self._give(blocks, whole)
        self._begun += last

    def _cut(self, blocks: list[Block]) -> None:
        begun = self._begun
        texts = []
        start = 0
        while len(begun) - start > self._max:
            end = _character_start(begun, start + self._max)
            texts.append(begun[start:end].decode("utf-8", "replace"))
            start = end
        del begun[:start]
        self._is_rest = True
        blocks.append(Block("cut", texts))

    def _feed_updates(self, chunk: bytes, blocks: list[Block]) -> None:
        r"""Take in a chunk with a lone ``\r`` somewhere."""
        for part in re.split(rb"(\r+)", chunk):
            if part and not part.startswith(b"\r"):
                self._feed_lines(part, blocks)
                self._is_ended = False
            elif part and self._begun:
                text = self._begun.decode("utf-8", "replace")
                self._begun.clear()
                blocks.append(Block("rest" if self._is_rest else "update", [text]))
                self._is_rest = False
                self._is_ended = True  # the "\n" to this "\r" may be in the next chunk


def _joined(blocks: list[Block]) -> list[Block]:
    """Successive blocks of one kind as one."""
    joined: list[Block] = []
    for block in blocks:
        if joined and joined[-1].kind == block.kind:
            joined[-1].texts.extend(block.texts)
        else:
            joined.append(block)
    return joined


def _character_start(text: bytearray, index: int) -> int:
    """``index``, or up to three bytes before it, where a character of UTF-8 begins."""
    for start in range(index, index - 4, -1):
        if text[start] & 0b1100_0000 != 0b1000_0000:
            return start
    return index  # not UTF-8


def _cut_off_bytes(text: bytearray) -> int:
    """How many bytes at the end begin a character that goes on after it."""
    for back in range(1, min(3, len(text)) + 1):
        byte = text[-back]
        if byte & 0b1100_0000 != 0b1000_0000:
            needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return back if needed > back else 0
    return 0
