"""How a line that is typed is drawn on a terminal, over as many rows as it takes. Writes, never reads."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
#: More candidates aren't listed.
_MAX_LISTED = 120


class Drawing:
    """Args:
    write: To the terminal.
    columns: How wide it is now.
    """

    def __init__(self, write: Callable[[str], object], columns: Callable[[], int]) -> None:
        self._write = write
        self._columns = columns
        #: The row that the line begins in.
        self.prompt = ""
        self._text = ""
        self._at = 0
        #: The cursor's row, counted from the prompt's.
        self._row = 0

    def begin(self, prompt: str, *, is_shown: bool = False) -> None:
        """Show the prompt, or take it that it is there."""
        head, newline, self.prompt = prompt.rpartition("\n")
        self._text, self._at = "", 0
        self._row, column = self._place(self.prompt)
        shown = "" if is_shown else head + newline + self.prompt
        # A terminal leaves its last column only for the next character.
        self._write(shown + "\n" * (self._row > 0 and not column))

    def show(self, text: str, at: int, prompt: str | None = None) -> None:
        """Show the line, with the cursor before its character ``at``."""
        if prompt is not None:
            self.prompt, self._at = prompt, -1
        last = self.prompt + visible(text)
        end_row, end_column = self._place(last)
        if (text, at) == (self._text, self._at):
            return
        is_longer = len(self._text) == self._at < at == len(text) and text[:-1] == self._text
        if is_longer and end_column:
            self._write(visible(text[-1]))
        else:
            self._draw(last, self.prompt + visible(text[:at]), end_row, end_column)
        self._text, self._at = text, at
        self._row, _ = self._place(self.prompt + visible(text[:at]))

    def end(self, text: str, mark: str = "") -> None:
        """Leave the line, with ``mark`` behind it."""
        self.show(text, len(text))
        self._write(f"{mark}\n")
        self._row = 0

    def clear(self, text: str, at: int) -> None:
        """An empty terminal, with the line on top."""
        self._write("\x1b[H\x1b[2J")
        self._row = 0
        self.show(text, at, self.prompt)

    def list(self, candidates: Sequence[str], text: str, at: int) -> None:
        """Show ``candidates`` below, and the line anew."""
        self.end(text)
        shown = [visible(candidate) for candidate in candidates[:_MAX_LISTED]]
        width = max(map(width_of, shown), default=0) + 2
        in_row = max(self._columns() // width, 1)
        for first in range(0, len(shown), in_row):
            row = shown[first : first + in_row]
            self._write("".join(one + " " * (width - width_of(one)) for one in row).rstrip() + "\n")
        if len(candidates) > len(shown):
            self._write(f"and {len(candidates) - len(shown)} more\n")
        self.begin(self.prompt)
        self.show(text, at)

    def _draw(self, last: str, before_cursor: str, end_row: int, end_column: int) -> None:
        row, column = self._place(before_cursor)
        drawn = f"\x1b[{self._row}A" if self._row else ""
        drawn += "\r\x1b[J" + last
        if not end_column and end_row:
            drawn += "\n"
        if (row, column) != (end_row, end_column):
            if end_row > row:
                drawn += f"\x1b[{end_row - row}A"
            drawn += f"\r\x1b[{column}C" if column else "\r"
        self._write(drawn)

    def _place(self, text: str) -> tuple[int, int]:
        """Row and column behind ``text``, which begins a row."""
        columns, row, column = max(self._columns(), 2), 0, 0
        for char in _COLOURS.sub("", text):
            width = width_of(char)
            if column + width > columns:
                row, column = row + 1, 0
            column += width
            if column == columns:
                row, column = row + 1, 0
        return row, column


def visible(text: str) -> str:
    """``text`` without what would move the cursor."""
    return "".join(f"^{chr(ord(c) ^ 64)}" if c < " " or c == "\x7f" else c for c in text)


def width_of(text: str) -> int:
    """How many columns it takes."""
    return sum(_width_of_char(char) for char in text)


def _width_of_char(char: str) -> int:
    if char < "\x7f":
        return 1
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
