"""A terminal's screen, as far as the editor uses one: what stands on it, and where the cursor is."""

from __future__ import annotations

import re

from treetap.debug.editing.drawing import width_of

_SEQUENCE = re.compile(r"\x1b\[([\d;]*)([A-Za-z])")


class Screen:
    """Rows without end; a wide character takes two cells, the second of them empty.

    As on a real one, the cursor stays in the last column until the next character comes.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.rows: list[list[str]] = [[]]
        self.row = 0
        self.column = 0

    def write(self, text: str) -> None:
        while text:
            match = _SEQUENCE.match(text)
            if match:
                if match[2] != "m":
                    self._obey(match[2], int(match[1] or 1))
                text = text[match.end() :]
                continue
            char, text = text[0], text[1:]
            if char == "\r":
                self.column = 0
            elif char == "\n":  # a terminal's driver makes CR LF of it
                self.column = 0
                self._go_to(self.row + 1)
            elif char >= " ":
                self._put(char)

    def text(self) -> list[str]:
        return ["".join(row).rstrip() for row in self.rows]

    def cursor(self) -> tuple[int, int]:
        """Where the next character would be."""
        if self.column == self.columns:
            return self.row + 1, 0
        return self.row, self.column

    def _put(self, char: str) -> None:
        width = width_of(char)
        if width == 0:
            self.rows[self.row][self.column - 1] += char
            return
        if self.column + width > self.columns:
            self.column = 0
            self._go_to(self.row + 1)
        row = self.rows[self.row]
        row.extend([" "] * (self.column + width - len(row)))
        row[self.column : self.column + width] = [char, *[""] * (width - 1)]
        self.column += width

    def _obey(self, letter: str, count: int) -> None:
        self.column = min(self.column, self.columns - 1)
        if letter == "A":
            self.row -= count
            assert self.row >= 0, "above the line"
        elif letter == "C":
            self.column = min(self.column + count, self.columns - 1)
        elif letter == "J":
            del self.rows[self.row + 1 :]
            del self.rows[self.row][self.column :]
        elif letter == "H":
            self.row = self.column = 0
        else:
            raise AssertionError(f"unknown: {letter}")
        if letter == "J" and count == 2:  # it was all
            self.rows = [[]]

    def _go_to(self, row: int) -> None:
        self.row = row
        while len(self.rows) <= row:
            self.rows.append([])
