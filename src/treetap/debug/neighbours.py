"""Several trees on one terminal: ``treetap run … | treetap run …``, or one below another, or below ``make -j``.

Each has a broker, and each of them would take the terminal for a holder of its own. So a broker has
the terminal's turn while it has the terminal, and a holder has one too, for it may outlive its broker.
Turns are POSIX locks on bytes of one file: they end with their process, and nothing is left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import os

_FILE = "terminals.lock"


class Turn:
    """A process's turn at one terminal, among those of other trees.

    Args:
        directory: Of the brokers' places.
        session: That the terminal controls.
    """

    def __init__(self, directory: str, session: int) -> None:
        self._path = f"{directory}/{_FILE}"
        self._brokers_byte = 2 * session
        self._holders_byte = 2 * session + 1
        self._fd: int | None = None

    def take(self) -> bool:
        """A broker's: whether no other tree has the terminal now. Idempotent."""
        if self._fd is not None:
            return True
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return True  # better two at a prompt than none
        try:
            for byte in (self._brokers_byte, self._holders_byte):
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            # A holder of ours is to have this one.
            fcntl.lockf(fd, fcntl.LOCK_UN, 1, self._holders_byte)
        except OSError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def hold(self) -> None:
        """A holder's, which its broker has let in."""
        with contextlib.suppress(OSError):
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._holders_byte)

    def give(self) -> None:
        """The terminal is another tree's, if one waits. Idempotent."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
