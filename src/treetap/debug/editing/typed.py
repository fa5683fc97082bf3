"""A line as it is typed: the text, the cursor, what was cut, and the lines of before. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Typed:
    """Args:
    earlier: Lines of before, oldest first.
    cut: What was cut last, for ``paste``; kept from line to line by the one who asks for them.
    """

    def __init__(self, earlier: Sequence[str] = (), cut: str = "") -> None:
        self.text = ""
        self.at = 0
        self.cut = cut
        # The last one is the line of now; what is changed in an earlier one is forgotten.
        self._lines = [*earlier, ""]
        self._row = len(earlier)

    def insert(self, text: str) -> None:
        self.replace(self.at, self.at, text)

    def replace(self, begin: int, end: int, text: str) -> None:
        self.text = self.text[:begin] + text + self.text[end:]
        self.at = begin + len(text)

    def do(self, key: str) -> bool:
        """What a key does; whether it means anything here."""
        act = _ACTS.get(key)
        if act is not None:
            act(self)
        return act is not None

    def find(self, wanted: str, *, is_next: bool) -> bool:
        """Show the newest line with ``wanted`` in it, from the one shown, or older than that."""
        first = self._row - is_next
        for row in range(min(first, len(self._lines) - 2), -1, -1):
            if wanted in self._lines[row]:
                self._show(row)
                self.at = self.text.index(wanted)
                return True
        return False

    def home(self) -> None:
        self.at = 0

    def end(self) -> None:
        self.at = len(self.text)

    def left(self) -> None:
        self.at = max(self.at - 1, 0)

    def right(self) -> None:
        self.at = min(self.at + 1, len(self.text))

    def word_left(self) -> None:
        self.at = self._word_begin()

    def word_right(self) -> None:
        self.at = self._word_end()

    def delete_left(self) -> None:
        if self.at:
            self.replace(self.at - 1, self.at, "")

    def delete_right(self) -> None:
        self._take_out(self.at, self.at + 1)

    def cut_to_home(self) -> None:
        self._cut(0, self.at)

    def cut_to_end(self) -> None:
        self._cut(self.at, len(self.text))

    def cut_word_left(self) -> None:
        self._cut(self._word_begin(), self.at)

    def cut_word_right(self) -> None:
        self._cut(self.at, self._word_end())

    def cut_blank_left(self) -> None:
        """Up to the last blank, as a terminal's own ctrl-w."""
        begin = self.at
        while begin and self.text[begin - 1].isspace():
            begin -= 1
        while begin and not self.text[begin - 1].isspace():
            begin -= 1
        self._cut(begin, self.at)

    def paste(self) -> None:
        self.insert(self.cut)

    def swap(self) -> None:
        """The two characters before the cursor, or around it."""
        at = min(self.at, len(self.text) - 1)
        if at > 0:
            self.replace(at - 1, at + 1, self.text[at] + self.text[at - 1])

    def older(self) -> None:
        if self._row:
            self._show(self._row - 1)

    def newer(self) -> None:
        if self._row < len(self._lines) - 1:
            self._show(self._row + 1)

    def oldest(self) -> None:
        self._show(0)

    def newest(self) -> None:
        self._show(len(self._lines) - 1)

    def _show(self, row: int) -> None:
        if self._row == len(self._lines) - 1:
            self._lines[-1] = self.text
        self._row = row
        self.text = self._lines[row]
        self.end()

    def _cut(self, begin: int, end: int) -> None:
        self.cut = self.text[begin:end] or self.cut
        self._take_out(begin, end)

    def _take_out(self, begin: int, end: int) -> None:
        self.replace(begin, end, "")
        self.at = begin

    def _word_begin(self) -> int:
        at = self.at
        while at and not self.text[at - 1].isalnum():
            at -= 1
        while at and self.text[at - 1].isalnum():
            at -= 1
        return at

    def _word_end(self) -> int:
        at = self.at
        while at < len(self.text) and not self.text[at].isalnum():
            at += 1
        while at < len(self.text) and self.text[at].isalnum():
            at += 1
        return at


#: The keys of every shell.
_ACTS: dict[str, Callable[[Typed], None]] = {
    **dict.fromkeys(("home", "ctrl-a"), Typed.home),
    **dict.fromkeys(("end", "ctrl-e"), Typed.end),
    **dict.fromkeys(("left", "ctrl-b"), Typed.left),
    **dict.fromkeys(("right", "ctrl-f"), Typed.right),
    **dict.fromkeys(("ctrl-left", "alt-left", "alt-b"), Typed.word_left),
    **dict.fromkeys(("ctrl-right", "alt-right", "alt-f"), Typed.word_right),
    **dict.fromkeys(("backspace", "ctrl-h"), Typed.delete_left),
    **dict.fromkeys(("delete", "ctrl-d"), Typed.delete_right),
    "ctrl-u": Typed.cut_to_home,
    "ctrl-k": Typed.cut_to_end,
    "ctrl-w": Typed.cut_blank_left,
    "alt-backspace": Typed.cut_word_left,
    "alt-d": Typed.cut_word_right,
    "ctrl-y": Typed.paste,
    "ctrl-t": Typed.swap,
    **dict.fromkeys(("up", "ctrl-p"), Typed.older),
    **dict.fromkeys(("down", "ctrl-n"), Typed.newer),
    **dict.fromkeys(("page-up", "alt-<"), Typed.oldest),
    **dict.fromkeys(("page-down", "alt->"), Typed.newest),
}
