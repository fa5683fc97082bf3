"""The terminal of a tree, for a broker that isn't in its session: only a process of the session may
take a terminal into its foreground. So the broker of those who have no terminal is a guest there:
while its console reads, no key sends a signal, and the modes of before come back afterwards.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from treetap.debug import kinship, terminal
from treetap.debug.custody import Custody
from treetap.debug.record import Former

if TYPE_CHECKING:
    from treetap.debug.neighbours import Turn
    from treetap.debug.record import Record


class Visit(Custody):
    """Args:
    fd: Of the terminal.
    root: Pid of the tree's root, or of who has started it: the terminal is its session's.
    record: See ``Custody``.
    turn: See ``Custody``.
    """

    def __init__(self, fd: int, root: int, record: Record, turn: Turn) -> None:
        super().__init__(fd, record, turn)
        self._root = root

    def take(self, _pid: int, _root: int) -> Former | None:
        if self.former is None:
            root, modes = kinship.read_process(self._root), terminal.modes(self.fd)
            if modes is None or root is None or root.foreground != root.group:
                self._turn.give()
                return None
            self.former = Former(root.group, modes, 0)
            self._record.write(self.former)
        return self.former

    def is_a_shells(self) -> bool:
        return self.former is not None

    def retake(self) -> None:
        pass

    def stay(self) -> None:
        pass

    def forget_typed(self) -> None:
        pass  # the console here lives on, and has read it

    def _restore(self, former: Former, _pid: int) -> None:
        terminal.set_modes(self.fd, former.modes)
        self._record.clear()


def open_terminal_of(pid: int) -> int | None:
    """A descriptor of another process's controlling terminal; ``None`` if it has none, or who knows."""
    process = kinship.read_process(pid)
    if process is None or not process.terminal:
        return None
    number = process.terminal
    major, minor = number >> 8 & 0xFFF, (number & 0xFF) | (number >> 12 & 0xFFF00)
    for path in (f"/dev/pts/{minor}", f"/dev/tty{minor}", f"/dev/ttyS{minor - 64}"):
        try:
            if os.stat(path).st_rdev == os.makedev(major, minor):
                return os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            continue
    return None
