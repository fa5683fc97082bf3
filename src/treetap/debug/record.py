"""What a broker has taken and must give back, in a file.

On it the holder has a POSIX lock: it goes with the process, not with a descriptor, so that no child
keeps it. Whatever dies, the next broker finds out whether somebody is still at the prompt, and what
to give back if not.
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

from treetap.debug import terminal

if TYPE_CHECKING:
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
