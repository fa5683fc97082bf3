"""Reads a line from a terminal: with cursor keys, history, search, and completion by tab.

Not GNU readline: that is one a process, and it is the program's: its completer, history, bindings
and signal handlers would have to be lent and given back, in whichever thread, and not while the
program itself is within it. This one has no state but its own, and works wherever a descriptor is.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from treetap.debug import terminal
from treetap.debug.editing.drawing import Drawing
from treetap.debug.editing.keys import Keys, name_of
from treetap.debug.editing.typed import Typed
from treetap.debug.limits import is_from_handler
from treetap.debug.terminal import HungUp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from treetap.debug.editing.history import History
    from treetap.debug.terminal import Modes

    Complete = Callable[[str, int, int], list[str]]

#: Python acts on a signal between two calls only, and one that comes just before a call begins
#: doesn't interrupt it: so no call lasts longer. As often it is seen to that the terminal is still
#: in our modes: a shell changes them when a job is stopped and goes on.
_LOOK_S = 0.1
#: What ends the word before the cursor: as pdb has it.
_DELIMITERS = " \t\n`@#%^&*()=+[{]}\\|;:'\",<>?!"
_TAB = "    "


def can_edit(environment: Mapping[str, str] | None = None) -> bool:
    """Whether the terminal can move its cursor."""
    return (os.environ if environment is None else environment).get("TERM", "") not in (
        "",
        "dumb",
        "unknown",
    )


class Editor:
    """Args:
    fd: Of the terminal.
    complete: Called with the line and where the word begins and ends that is to be completed;
        gives what could stand there instead.
    history: Gives and keeps what was typed.
    suspend: Called for ctrl-z; returns when the job goes on. Without it the key does nothing.
    is_behind: Whether another job has the terminal now: then nothing is read, or changed.
    leave: Called at the end of a line, before its end is shown: so who sees that can press ctrl-c,
        and be sure that it isn't taken for typing.
    """

    def __init__(
        self,
        fd: int,
        complete: Complete | None,
        history: History,
        *,
        suspend: Callable[[], None] | None = None,
        is_behind: Callable[[], bool] = lambda: False,
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        self.fd = fd
        self._complete = complete
        self._history = history
        self._suspend = suspend
        self._is_behind = is_behind
        self._leave = leave
        self._cut = ""
        self._modes: Modes = []
        self._typed = Typed()
        self._drawing = Drawing(self._write, self._columns)

    def read_line(self, prompt: str, *, is_shown: bool = False) -> str:
        """A line with its end; ``""`` for ctrl-d on an empty one.

        Args:
            prompt: Stands before it.
            is_shown: It does so already.

        Raises:
            KeyboardInterrupt: ctrl-c.
            HungUp: There is no terminal any more.
        """
        former = terminal.modes(self.fd)
        if former is None:
            raise HungUp
        self._modes = former
        self._typed = Typed(self._history.lines(), self._cut)
        try:
            self._set_modes()
            self._drawing.begin(prompt, is_shown=is_shown)
            line = self._line(Keys(self._read))
        finally:
            self._cut = self._typed.cut
            self._restore()
        if line:
            self._history.add(line.rstrip("\n"))
        return line

    def _line(self, keys: Keys) -> str:
        typed = self._typed
        while True:
            key = keys.next()
            if key == "ctrl-r":
                key = self._search(keys)
            if key == "enter":
                self._end_line()
                return typed.text + "\n"
            if key in ("ctrl-c", self._key_of(terminal.interrupt_key)):
                self._end_line("^C")
                raise KeyboardInterrupt
            if key in ("ctrl-z", self._key_of(terminal.suspend_key)):
                self._go_away()
            elif key == "ctrl-d" and not typed.text:
                self._end_line()
                return ""
            elif key == "tab":
                self._tab()
            elif key == "ctrl-l":
                self._drawing.clear(typed.text, typed.at)
            else:
                if not typed.do(key) and len(key) == 1:
                    typed.insert(key)
                self._drawing.show(typed.text, typed.at)

    def _end_line(self, mark: str = "") -> None:
        self._restore()
        self._leave()
        self._drawing.end(self._typed.text, mark)

    def _restore(self) -> None:
        if not terminal.is_behind(self.fd):
            terminal.set_modes(self.fd, self._modes)

    def _search(self, keys: Keys) -> str:
        """ctrl-r; gives the key that ends it, which means what it always does."""
        typed, prompt, wanted = self._typed, self._drawing.prompt, ""
        while True:
            self._drawing.show(typed.text, typed.at, f"(search)`{wanted}': ")
            key = keys.next()
            if key == "ctrl-r":
                typed.find(wanted, is_next=True)
            elif key in ("backspace", "ctrl-h"):
                wanted = wanted[:-1]
            elif len(key) == 1:
                wanted += key
                typed.find(wanted, is_next=False)
            else:
                self._drawing.show(typed.text, typed.at, prompt)
                return key

    def _tab(self) -> None:
        typed = self._typed
        begin = typed.at
        while begin and typed.text[begin - 1] not in _DELIMITERS:
            begin -= 1
        if not typed.text[: typed.at].strip():
            typed.insert(_TAB)
            self._drawing.show(typed.text, typed.at)
            return
        found = self._complete(typed.text, begin, typed.at) if self._complete else []
        found = sorted({one for one in found if one})
        word = _common_beginning(found)
        if word and word != typed.text[begin : typed.at]:
            typed.replace(begin, typed.at, word)
            self._drawing.show(typed.text, typed.at)
        elif len(found) > 1:
            self._drawing.list([_last_part(one) for one in found], typed.text, typed.at)
        else:
            self._write("\a")

    def _go_away(self) -> None:
        if self._suspend is None:
            return
        self._drawing.end(self._typed.text, "^Z")
        self._suspend()
        self._set_modes()
        self._drawing.begin(self._drawing.prompt, is_shown=True)
        self._drawing.show(self._typed.text, self._typed.at, self._drawing.prompt)

    def _key_of(self, special: Callable[[Modes], bytes]) -> str:
        return name_of(special(self._modes).decode("latin-1"))

    def _set_modes(self) -> None:
        if not terminal.set_modes(self.fd, terminal.editing(self._modes)):
            raise HungUp

    def _read(self, timeout_s: float | None) -> bytes:
        """One byte: what comes after the line is somebody else's."""
        waited_s = 0.0
        while timeout_s is None or waited_s < timeout_s:
            if self._is_behind():
                while self._is_behind():
                    time.sleep(_LOOK_S)
                self._begin_again()
            try:
                if terminal.wait_for_input(self.fd, _LOOK_S):
                    byte = os.read(self.fd, 1)
                    if not byte:
                        raise HungUp
                    return byte
            except OSError as exc:
                if is_from_handler(exc):
                    raise
                raise HungUp from exc
            waited_s += _LOOK_S
            if not terminal.is_editing(self.fd) and not self._is_behind():
                self._begin_again()
        return b""

    def _begin_again(self) -> None:
        """After somebody else has had the terminal."""
        self._set_modes()
        self._drawing.show(self._typed.text, self._typed.at, self._drawing.prompt)

    def _write(self, text: str) -> None:
        terminal.write(self.fd, text)

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self.fd).columns or 80
        except OSError:
            return 80


def _common_beginning(found: list[str]) -> str:
    """Of sorted strings."""
    if not found:
        return ""
    first, last = found[0], found[-1]
    length = 0
    while length < min(len(first), len(last)) and first[length] == last[length]:
        length += 1
    return first[:length]


def _last_part(candidate: str) -> str:
    """Of a dotted name what is new, as far as there is anything behind the last dot."""
    return candidate.rpartition(".")[2] or candidate
