"""The terminal in custody: who had its foreground and in which modes, and how that comes back.

Usually the broker's. What it must give back is in a file too, on which the holder has a POSIX lock:
it goes with the process, not with a descriptor, so that no child keeps it. Whatever dies, the next
broker finds out whether somebody is still at the prompt, and what to give back if not.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from treetap.debug import kinship, terminal

if TYPE_CHECKING:
    from treetap.debug.neighbours import Turn
    from treetap.debug.terminal import Modes


#: ``struct flock`` of 64 bits: type, whence, start, length, pid.
_FLOCK = "hhqqi4x"
#: The records that this process holds: pid, device and inode. Who closes a file, by whichever
#: descriptor, loses his lock on it: so these aren't opened to find out.
_held_here: set[tuple[int, int, int]] = set()


class Former(NamedTuple):
    """How the terminal was before the first holder.

    Attributes:
        group: In the foreground.
        modes: Of the terminal.
        by: The group that has the foreground since.
    """

    group: int
    modes: Modes
    by: int


class Record:
    """The file ``TREE.held``."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._held: int | None = None

    def write(self, former: Former) -> None:
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps([former.group, terminal.to_plain(former.modes), former.by]))
        draft.chmod(0o600)
        # Not replaced: the holder's lock is on this very file.
        self._path.touch(0o600)
        self._path.write_bytes(draft.read_bytes())
        draft.unlink()

    def read(self) -> Former | None:
        try:
            group, plain, by = json.loads(self._path.read_text())
            return Former(int(group), terminal.from_plain(plain), int(by))
        except (OSError, ValueError, TypeError, IndexError):
            return None

    def clear(self) -> None:
        with contextlib.suppress(OSError):
            os.truncate(self._path, 0)

    def hold(self) -> None:
        """Say that this process is at the prompt, until ``let_go`` or its end."""
        self._held = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _held_here.add(_here(os.fstat(self._held)))
        fcntl.lockf(self._held, fcntl.LOCK_EX)

    def let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            _held_here.discard(_here(os.fstat(held)))
            os.close(held)

    def _is_held_here(self) -> bool:
        with contextlib.suppress(OSError):
            return _here(self._path.stat()) in _held_here
        return False

    def holder(self) -> int:
        """Pid of the process that is at the prompt; 0 for none, or where nobody tells."""
        if self._is_held_here():
            return os.getpid()
        if sys.platform != "linux":
            return 0
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return 0
        wanted = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        try:
            found = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, wanted))
        finally:
            os.close(descriptor)
        return int(found[4]) if found[0] != fcntl.F_UNLCK else 0

    def is_held(self) -> bool:
        """Whether a process is at the prompt."""
        if self._is_held_here():
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False


def _here(status: os.stat_result) -> tuple[int, int, int]:
    return os.getpid(), status.st_dev, status.st_ino


class Custody:
    """Takes one terminal and gives it back.

    Args:
        fd: Of the terminal.
        group: The process group that a holder enters; it is made the foreground group.
        record: Where it is written down.
        turn: At this terminal, among other trees.
    """

    def __init__(self, fd: int, group: int, record: Record, turn: Turn) -> None:
        self.fd = fd
        self._group = group
        self._record = record
        self._turn = turn
        self.former: Former | None = None

    def is_gone(self) -> bool:
        """The terminal is no more."""
        return terminal.modes(self.fd) is None

    def hold(self) -> None:
        """For a console of the broker's, in its own process: as a holder does."""
        self._record.hold()
        self._turn.hold()

    def let_go(self) -> None:
        self._record.let_go()
        self._turn.give()

    def recover(self) -> None:
        """Give back what a dead broker had taken."""
        former = self._record.read()
        if former is not None:
            self.former = former
            self.give_back(0)

    def may_take(self) -> bool:
        """Whether no other tree has the terminal; then none gets it until it is given back."""
        return self._turn.take()

    def take(self, pid: int, root: int) -> Former | None:
        """Take the terminal for ``pid``; ``None`` if another job is in its foreground."""
        if self.former is None:
            group, modes = terminal.foreground(self.fd), terminal.modes(self.fd)
            if modes is None:
                self._turn.give()
                return None
            if not kinship.is_group_alive(
                group
            ):  # its last process ended while it had the terminal
                group = _group_of(pid)
            elif group not in kinship.job_groups(pid, root):
                self._turn.give()
                return None
            former = Former(group, modes, self._group)
            self._record.write(former)
            self.former = former
            if not self._is_taken(former, pid):
                return None
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
        """Whether a shell with job control has lent it: it takes it back when its job ends."""
        return self.former is not None and self.former.group != _group_of(os.getsid(0))

    def retake(self) -> None:
        """Whoever looks after the job has stopped it, and let it go on: it isn't the job's turn."""
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
        """The holder can't enter our group: it is in the foreground where it was."""
        if self.former is not None:
            terminal.set_foreground(self.fd, self.former.group)

    def give_back(self, pid: int) -> None:
        """Restore what was, or what comes nearest; ``pid`` was the last holder. Idempotent."""
        former, self.former = self.former, None
        if former is not None:
            self._restore(former, pid)
        self._turn.give()

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
