"""What the prompt reads from and writes to: the terminal itself, whatever stdin and stdout are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from treetap.debug import terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from treetap.debug.claim import Claim


#: Longer is no prompt.
_MAX_PROMPT_CHARS = 200
#: Python acts on a signal between two calls only, and one that comes just before ``read`` begins
#: doesn't interrupt it: so no call lasts longer.
_SIGNALS_S = 0.1


class HungUp(Exception):
    """The terminal is gone."""


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
        self.line = (self.line + text).rpartition("\n")[2][-_MAX_PROMPT_CHARS:]
        self.show_prompt()
        if _is_prompt(text):
            self._prompt = text
        else:
            self._put(text)
        return len(text)

    def show_prompt(self) -> None:
        """Write the prompt that was held back until the keys have their meaning."""
        prompt, self._prompt = self._prompt, ""
        self._put(prompt)

    def _put(self, text: str) -> None:
        left = text.encode("utf-8", "replace")
        try:
            while left:
                left = left[os.write(self._claim.fd, left) :]
        except OSError:
            pass  # gone; the next read says so

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
    ) -> None:
        self._claim = claim
        self._screen = screen
        self._before = before
        self._after = after
        self._suspend = suspend

    def readline(self, _size: int = -1) -> str:
        """A line with its end; ``""`` for ctrl-d.

        Raises:
            KeyboardInterrupt: ctrl-c.
            HungUp: There is no terminal any more.
        """
        while True:
            line, modes = self._line(), self._claim.modes
            if line.endswith(terminal.interrupt_key(modes)):
                self._screen.write("\n")
                raise KeyboardInterrupt
            if not line.endswith(terminal.suspend_key(modes)):
                if line:
                    self._screen.line = ""
                elif terminal.modes(self._claim.fd) is None:
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
        while not line.endswith(ends):
            try:
                if not terminal.wait_for_input(self._claim.fd, _SIGNALS_S):
                    continue
                typed = os.read(self._claim.fd, 65536)
            except OSError as exc:
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
