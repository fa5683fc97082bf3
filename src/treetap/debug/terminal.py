"""A process's controlling terminal: who is in the foreground, and its modes.

A process that isn't in the foreground and changes either is stopped by SIGTTOU. The signal is blocked
for the moment of the change, in this thread only: that works in any thread, and changes nothing
that another one, or a child, could see.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: ``termios`` as Python has it: ``[iflag, oflag, cflag, lflag, ispeed, ospeed, cc]``.
Modes = list[Any]

#: ``_POSIX_VDISABLE``.
_NO_KEY = b"\0" if sys.platform == "linux" else b"\xff"
_IFLAG, _OFLAG, _LFLAG, _CC = 0, 1, 3, 6
_COOKED = termios.ICANON | termios.ECHO | termios.ISIG


class HungUp(Exception):
    """The terminal is gone."""


class Evicted(HungUp):
    """It is a shell's again, whose job has ended."""


def open_terminal() -> int | None:
    """A descriptor of the controlling terminal; ``None`` if this process has none."""
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None


@contextlib.contextmanager
def _background_is_fine() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def set_foreground(fd: int, group: int) -> bool:
    """Make ``group`` the foreground group; whether that could be (it may be gone)."""
    with _background_is_fine():
        try:
            os.tcsetpgrp(fd, group)
        except OSError:
            return False
    return True


def foreground(fd: int) -> int:
    """The foreground group; 0 if the terminal is gone."""
    try:
        return os.tcgetpgrp(fd)
    except OSError:
        return 0


def is_behind(fd: int) -> bool:
    """Whether another process group than ours has this process's terminal."""
    return foreground(fd) not in (0, os.getpgid(0))


def modes(fd: int) -> Modes | None:
    """The terminal's modes; ``None`` if it is gone."""
    try:
        return termios.tcgetattr(fd)
    except termios.error:
        return None


def set_modes(fd: int, wanted: Modes) -> bool:
    """Change the modes at once; whether that could be."""
    with _background_is_fine():
        try:
            termios.tcsetattr(fd, termios.TCSANOW, wanted)
        except termios.error:
            return False
    return True


def wait_for_input(fd: int, timeout_s: float) -> bool:
    """Whether there is something to read, an end or an error included, within ``timeout_s``."""
    if sys.platform == "darwin":  # where poll() doesn't know terminals
        return bool(select.select([fd], [], [], timeout_s)[0])
    poll = select.poll()  # a program may have too many files for select()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


def forget_typed(fd: int) -> None:
    """Drop what was typed and nobody has read."""
    with _background_is_fine(), contextlib.suppress(termios.error):
        termios.tcflush(fd, termios.TCIFLUSH)


def write(fd: int, text: str) -> None:
    """Write all of it; nothing to a terminal that is gone, as the next read says."""
    left = text.encode("utf-8", "replace")
    try:
        while left:
            left = left[os.write(fd, left) :]
    except OSError:
        pass


def held(of: Modes) -> Modes:
    """``of``, while a tree holds the terminal: a process in the background may write to it.

    Under ``stty tostop`` the program's other processes would be stopped, and nobody would wake them.
    """
    made = [*of[:_CC], list(of[_CC])]
    made[_LFLAG] &= ~termios.TOSTOP
    return made


def reading(of: Modes) -> Modes:
    """``of``, for a prompt: lines, echo, and no key that sends a signal.

    ctrl-c and ctrl-z end the line instead, and are its last character: so the one who reads knows
    what was pressed, in whichever thread it reads, and nobody else can be hit.
    """
    made = [*of[:_CC], list(of[_CC])]
    made[_IFLAG] |= termios.ICRNL
    made[_IFLAG] &= ~(termios.IGNCR | termios.INLCR)
    made[_OFLAG] |= termios.OPOST | termios.ONLCR
    made[_LFLAG] |= termios.ICANON | termios.ECHO | termios.ECHOE | termios.IEXTEN
    made[_LFLAG] &= ~termios.ISIG
    made[_CC][termios.VEOL] = interrupt_key(of)
    made[_CC][termios.VEOL2] = suspend_key(of)
    return made


def editing(of: Modes) -> Modes:
    """``of``, for an editor of lines: each key at once, no echo, and no key with a meaning."""
    made = [*of[:_CC], list(of[_CC])]
    made[_IFLAG] |= termios.ICRNL
    made[_IFLAG] &= ~(termios.IGNCR | termios.INLCR | termios.ISTRIP | termios.IXON)
    made[_OFLAG] |= termios.OPOST | termios.ONLCR
    made[_LFLAG] &= ~(_COOKED | termios.IEXTEN)
    made[_CC][termios.VMIN], made[_CC][termios.VTIME] = b"\1", b"\0"
    return made


def is_editing(fd: int) -> bool:
    """Whether the modes are those of an editor still; true where there is no terminal any more."""
    now = modes(fd)
    return now is None or not now[_LFLAG] & _COOKED


def running(of: Modes, *, is_quiet: bool) -> Modes:
    """``of``, for the time between two lines: ctrl-c interrupts, ctrl-z does nothing.

    Args:
        of: The modes of before.
        is_quiet: ctrl-c does nothing either.
    """
    made = [*of[:_CC], list(of[_CC])]
    if is_quiet:
        made[_LFLAG] &= ~termios.ISIG
    made[_CC][termios.VSUSP] = _NO_KEY
    return made


def interrupt_key(of: Modes) -> bytes:
    key: bytes = of[_CC][termios.VINTR]
    return key if key != _NO_KEY else b"\3"


def suspend_key(of: Modes) -> bytes:
    key: bytes = of[_CC][termios.VSUSP]
    return key if key != _NO_KEY else b"\x1a"


def to_plain(of: Modes) -> list[Any]:
    """Modes as JSON can hold them."""
    return [*of[:_CC], [c if isinstance(c, int) else c[0] for c in of[_CC]]]


def from_plain(plain: list[Any]) -> Modes:
    """The opposite of ``to_plain``.

    VMIN and VTIME are numbers where the terminal isn't in line mode; as a byte each means the same.
    """
    return [*plain[:_CC], [bytes([c]) for c in plain[_CC]]]
