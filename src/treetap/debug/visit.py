"""The terminal of a tree, for a broker that isn't in its session: only a process of the session may
take a terminal into its foreground. So the broker of those who have no terminal is a guest there:
while its console reads, no key sends a signal, and the modes of before come back afterwards.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from treetap.debug import kinship, terminal
from treetap.debug.custody import Former

if TYPE_CHECKING:
    from treetap.debug.custody import Record
    from treetap.debug.neighbours import Turn


class Visit:
    """As ``custody.Custody``.

    Args:
        fd: Of the terminal.
        root: Pid of the tree's root, or of who has started it: the terminal is its session's.
        record: Where the modes of before are written down.
        turn: At this terminal, among other trees, and the other broker of this one.
    """

    def __init__(self, fd: int, root: int, record: Record, turn: Turn) -> None:
        self.fd = fd
        self._root = root
        self._record = record
        self._turn = turn
        self.former: Former | None = None

    def is_gone(self) -> bool:
        return terminal.modes(self.fd) is None

    def hold(self) -> None:
        self._record.hold()
        self._turn.hold()

    def let_go(self) -> None:
        self._record.let_go()
        self._turn.give()

    def recover(self) -> None:
        self.former = self._record.read()
        self.give_back(0)

    def may_take(self) -> bool:
        return self._turn.take()

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

    def give_back(self, _pid: int) -> None:
        former, self.former = self.former, None
        if former is not None:
            terminal.set_modes(self.fd, former.modes)
            self._record.clear()
        self._turn.give()


class Nowhere:
    """No terminal at all."""

    fd = -1
    former: Former | None = None

    def is_gone(self) -> bool:
        return True

    def recover(self) -> None:
        pass

    def may_take(self) -> bool:
        return True

    def take(self, _pid: int, _root: int) -> Former | None:
        return None

    def is_a_shells(self) -> bool:
        return False

    def retake(self) -> None:
        pass

    def stay(self) -> None:
        pass

    def give_back(self, pid: int) -> None:
        pass


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
