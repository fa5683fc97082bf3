"""What a terminal sends for keys: a character, or a name such as ``ctrl-a``, ``left``, ``alt-b``."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: How long the rest of a key's sequence may take: more, and it was the escape key.
_SEQUENCE_S = 0.5
#: A longer sequence is none of ours.
_MAX_SEQUENCE_CHARS = 16

_NAMED = {"\r": "enter", "\n": "enter", "\t": "tab", "\x7f": "backspace", "\x1f": "ctrl-_"}
_BY_LETTER = {"A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end"}
_BY_NUMBER = {
    "1": "home",
    "3": "delete",
    "4": "end",
    "5": "page-up",
    "6": "page-down",
    "7": "home",
    "8": "end",
}
_HELD = {"3": "alt-", "5": "ctrl-"}


class Keys:
    """Args:
    read: Gives one byte, within so many seconds or however long it takes; ``b""`` if there is
        none, and for an end.
    """

    def __init__(self, read: Callable[[float | None], bytes]) -> None:
        self._read = read
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._ahead = ""

    def next(self) -> str:
        """The next key; ``""`` when there are no more."""
        char = self._char(None)
        if char != "\x1b":
            return name_of(char)
        while char == "\x1b":
            char = self._char(_SEQUENCE_S)
        if char in ("[", "O"):
            return self._sequence()
        if not char or char < " ":
            return name_of(char) if char else "escape"
        return f"alt-{name_of(char)}"

    def _sequence(self) -> str:
        inner = ""
        while len(inner) < _MAX_SEQUENCE_CHARS:
            char = self._char(_SEQUENCE_S)
            if not char or char < " ":
                return name_of(char) if char else "escape"
            if "@" <= char <= "~":
                number, _, held = inner.partition(";")
                known = _BY_NUMBER.get(number, "") if char == "~" else _BY_LETTER.get(char, "")
                return _HELD.get(held, "") + known if known else "unknown"
            inner += char
        return "unknown"

    def _char(self, timeout_s: float | None) -> str:
        while not self._ahead:
            byte = self._read(timeout_s)
            if not byte:
                return ""
            self._ahead = self._decoder.decode(byte)
        char, self._ahead = self._ahead[0], self._ahead[1:]
        return char


def name_of(char: str) -> str:
    """What a single character is as a key."""
    if char in _NAMED:
        return _NAMED[char]
    return f"ctrl-{chr(ord(char) + 96)}" if char and char < " " else char
