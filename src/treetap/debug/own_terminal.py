"""The terminal of the broker's own session: its foreground group is the broker's to change."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from treetap.debug import kinship, terminal
from treetap.debug.custody import Custody
from treetap.debug.record import Former

if TYPE_CHECKING:
    from treetap.debug.neighbours import Turn
    from treetap.debug.record import Record


class OwnTerminal(Custody):
    """Args:
    fd: Of the terminal.
    group: The process group that a holder enters; it is made the foreground group.
    record: See ``Custody``.
    turn: See ``Custody``.
    """

    def __init__(self, fd: int, group: int, record: Record, turn: Turn) -> None:
        super().__init__(fd, record, turn)
        self._group = group

    def take(self, pid: int, root: int) -> Former | None:
        if self.former is None:
            group, modes = terminal.foreground(self.fd), terminal.modes(self.fd)
            if modes is None:
                self._turn.give()
                return None
            if not kinship.is_group_alive(group):
                group = _group_of(pid)  # its last process ended while it had the terminal
            elif group not in kinship.job_groups(pid, root):
                self._turn.give()
                return None
            former = Former(group, modes, self._group)
            self._record.write(former)
            self.former = former
            if not self._is_taken(former, pid):
                return None
            if not self.is_a_shells():
                # No key sends it from here on, and the holder hasn't left its group yet.
                kinship.forget_pending_stops(former.group)
        else:
            self._put_holders_group_in_front(self.former)
        return self.former

    def _put_holders_group_in_front(self, former: Former) -> None:
        # No key sends a signal to a holder that isn't ready for it.
        terminal.set_modes(self.fd, terminal.reading(terminal.held(former.modes)))
        terminal.set_foreground(self.fd, self._group)

    def _is_taken(self, former: Former, pid: int) -> bool:
        """Take it, unless ctrl-z is faster: then the shell has it, or will have it in a moment."""
        is_in_front = terminal.foreground(self.fd) == former.group
        if is_in_front:
            self._put_holders_group_in_front(former)
            leader = kinship.read_process(former.group) or kinship.read_process(pid)
            if leader is None or leader.state not in "Tt":
                return True
            terminal.set_modes(self.fd, former.modes)
            shell = kinship.read_process(leader.parent)
            if shell is None or not terminal.set_foreground(self.fd, shell.group):
                terminal.set_foreground(self.fd, _group_of(os.getsid(0)))
        self.former = None
        self._record.clear()
        self._turn.give()
        return False

    def is_a_shells(self) -> bool:
        return self.former is not None and self.former.group != _group_of(os.getsid(0))

    def retake(self) -> None:
        former = self.former
        if former is None:
            return
        now = terminal.foreground(self.fd)
        if now != former.group:
            if now not in (0, self._group):
                self._give_modes_back(former)
            return
        process = kinship.read_process(former.group)
        if process is None or process.state != "T":
            terminal.set_foreground(self.fd, self._group)

    def _give_modes_back(self, former: Former) -> None:
        """A ctrl-z has stopped a holder before it was one: the shell gets the modes of before."""
        ours = terminal.reading(terminal.held(former.modes))
        now = terminal.modes(self.fd)
        if now is not None and terminal.to_plain(now) == terminal.to_plain(ours):
            terminal.set_modes(self.fd, former.modes)

    def stay(self) -> None:
        if self.former is not None:
            terminal.set_foreground(self.fd, self.former.group)

    def forget_typed(self) -> None:
        # Else it is typed for a shell, which has stopped the job.
        if terminal.foreground(self.fd) == self._group:
            terminal.forget_typed(self.fd)

    def _restore(self, former: Former, pid: int) -> None:
        now = terminal.foreground(self.fd)
        # Otherwise somebody has taken it meanwhile, as a shell does when its job has ended.
        if now == former.by or not kinship.is_group_alive(now):
            self._hand_over(former, pid)
        # A holder that is in front still would change them again.
        terminal.set_modes(self.fd, former.modes)
        # Last: who is killed in the middle of this leaves it to the next.
        self._record.clear()

    def _hand_over(self, former: Former, pid: int) -> None:
        leader = os.getsid(0)
        for heir in (former.group, _group_of(pid or leader), _group_of(leader)):
            if heir not in (0, former.by) and terminal.set_foreground(self.fd, heir):
                break


def _group_of(pid: int) -> int:
    """A process's group; 0 for one that has ended, and isn't known any more."""
    try:
        return os.getpgid(pid)
    except OSError:
        return 0
