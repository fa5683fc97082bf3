"""What the prompt reads from and writes to: the terminal itself, whatever stdin and stdout are."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from treetap.debug import terminal
from treetap.debug.colour import can_colour
from treetap.debug.editing.editor import Editor, can_edit
from treetap.debug.limits import is_from_handler
from treetap.debug.terminal import Evicted, HungUp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from treetap.debug.claim import Claim
    from treetap.debug.editing.editor import Complete
    from treetap.debug.editing.history import History
    from treetap.debug.remote import Remote


#: Longer is no prompt.
_MAX_PROMPT_CHARS = 200
#: Down and up again: pdbp writes it, and what stands on the last line wouldn't be known.
_NOTHING = "\n\x1b[F"
#: See ``editing.editor``.
_SIGNALS_S = 0.1


class Screen:
    """A text file that writes to the terminal of a claim, at once."""

    encoding = "utf-8"
    errors = "replace"
    closed = False

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        #: What stands on the line that isn't ended: the prompt.
        self.line = ""
        self._prompt = ""

    def write(self, text: str) -> int:
        text = text.replace(_NOTHING, "")
        self.line = (self.line + text).rpartition("\n")[2][-_MAX_PROMPT_CHARS:]
        self.show_prompt()
        if _is_prompt(text):
            self._prompt = text
        else:
            self._put(text)
        return len(text)

    def show_prompt(self) -> None:
        """Write the prompt that was held back until the keys have their meaning."""
        prompt = self.take_prompt()
        if prompt:
            self._put(prompt)

    def take_prompt(self) -> str:
        """What was held back, for who shows it himself."""
        prompt, self._prompt = self._prompt, ""
        return prompt

    def _put(self, text: str) -> None:
        if self._claim.remote is not None:
            self._claim.remote.write(text)
            return
        terminal.write(self._claim.fd, text)

    @property
    def is_coloured(self) -> bool:
        """What another console can isn't known here."""
        return self._claim.remote is None and can_colour()

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._claim.fd


class Keyboard:
    """A text file whose lines are typed.

    Args:
        claim: To the terminal.
        screen: That shows what is typed.
        before: Called before each line is read; a KeyboardInterrupt that it raises is one of ours.
        after: Called as soon as it is.
        suspend: Called for ctrl-z; returns when the job goes on.
        again: Called when the console is gone; returns when there is another, or the terminal.
        complete: Called for tab, between ``after`` and ``before``.
        history: Of what is typed.
    """

    encoding = "utf-8"
    errors = "replace"
    closed = False

    def __init__(
        self,
        claim: Claim,
        screen: Screen,
        *,
        before: Callable[[], None],
        after: Callable[[], None],
        suspend: Callable[[], None],
        again: Callable[[], None],
        complete: Complete,
        history: History,
    ) -> None:
        self._claim = claim
        self._screen = screen
        self._before = before
        self._after = after
        self._suspend = suspend
        self._again = again
        self._complete = complete
        self._history = history
        self._editor: Editor | None = None

    def readline(self, _size: int = -1) -> str:
        """A line with its end; ``""`` for ctrl-d.

        Raises:
            KeyboardInterrupt: ctrl-c.
            HungUp: There is no terminal any more.
        """
        try:
            while True:
                prompt = self._screen.line
                try:
                    return self._line_from_anywhere()
                except HungUp as exc:
                    if self._claim.remote is None and not isinstance(exc, Evicted):
                        raise
                    self._again()
                    self._screen.write(prompt)
        finally:
            self._screen.line = ""

    def _line_from_anywhere(self) -> str:
        if self._claim.remote is not None:
            return self._line_of(self._claim.remote)
        while self._claim.is_behind():
            time.sleep(_SIGNALS_S)
        return self._edited_line() if can_edit() else self._plain_line()

    def _line_of(self, remote: Remote) -> str:
        self._before()
        try:
            prompt = self._screen.take_prompt()
            is_inner = not prompt.rstrip().endswith(")")
            return remote.ask(prompt, self._complete_there, is_inner=is_inner)
        finally:
            self._after()

    def _complete_there(self, line: str, begin: int, end: int) -> list[str]:
        self._after()
        try:
            return self._complete(line, begin, end)
        finally:
            self._before()

    def _edited_line(self) -> str:
        fd = self._claim.fd
        if self._editor is None or self._editor.fd != fd:
            self._editor = Editor(
                fd,
                self._complete_between,
                self._history,
                suspend=self._suspend_between,
                is_behind=self._claim.is_behind,
                leave=self._after,
            )
        self._begin_editing()
        try:
            self._screen.show_prompt()
            return self._editor.read_line(self._screen.line, is_shown=True)
        finally:
            self._after()

    def _begin_editing(self) -> None:
        if not terminal.set_modes(self._claim.fd, terminal.editing(self._claim.modes)):
            raise HungUp
        self._before()

    def _complete_between(self, line: str, begin: int, end: int) -> list[str]:
        self._after()
        try:
            return self._complete(line, begin, end)
        finally:
            self._begin_editing()

    def _suspend_between(self) -> None:
        self._after()
        try:
            self._suspend()
        finally:
            self._begin_editing()

    def _plain_line(self) -> str:
        """From a terminal that can't move its cursor."""
        while True:
            line, modes = self._line(), self._claim.modes
            if line.endswith(terminal.interrupt_key(modes)):
                self._screen.write("\n")
                raise KeyboardInterrupt
            if not line.endswith(terminal.suspend_key(modes)):
                if not line and terminal.modes(self._claim.fd) is None:
                    raise HungUp
                return line.decode("utf-8", "replace")
            prompt = self._screen.line
            self._suspend()
            self._screen.write(prompt)

    def _line(self) -> bytes:
        if not terminal.set_modes(self._claim.fd, terminal.reading(self._claim.modes)):
            raise HungUp
        self._before()
        try:
            self._screen.show_prompt()
            return self._read()
        finally:
            self._after()

    def _read(self) -> bytes:
        modes = self._claim.modes
        ends = (b"\n", terminal.interrupt_key(modes), terminal.suspend_key(modes))
        line = b""
        was_behind = False
        while not line.endswith(ends):
            if self._claim.is_behind():
                was_behind = True
                time.sleep(_SIGNALS_S)
                continue
            if was_behind:
                was_behind = False
                terminal.set_modes(self._claim.fd, terminal.reading(modes))
                self._screen.write(f"\n{self._screen.line}")
                self._screen.show_prompt()
            try:
                if not terminal.wait_for_input(self._claim.fd, _SIGNALS_S):
                    continue
                typed = os.read(self._claim.fd, 65536)
            except OSError as exc:
                if is_from_handler(exc):
                    raise
                raise HungUp from exc
            if not typed:
                break
            line += typed
        return line

    def read(self, _size: int = -1) -> str:
        return self.readline()

    def __iter__(self) -> Keyboard:
        return self

    def __next__(self) -> str:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._claim.fd


def _is_prompt(text: str) -> bool:
    """Whether a line will be asked for next: pdb's prompts, or those of its ``interact``."""
    return text.endswith(" ") and text.rstrip().endswith((")", ">>>", "..."))
