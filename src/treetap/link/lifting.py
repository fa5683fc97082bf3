"""Descriptors that are in nobody's way.

A program may close what it has inherited (``os.closerange(3, 256)``, as daemons do), or be started with
closed standard streams: then its own files get the lowest numbers next. A descriptor of ours down
there would be closed under us, and be one of the program's a moment later.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: No higher: the kernel's table of a process grows with the highest number, and each fork copies it.
_MAX_LIMIT = 1024
#: Of a process that may have fewer, each number is needed.
_MIN_LIMIT = 256
#: So many numbers below the limit are tried.
_ROOM = 64


def lift(descriptor: int) -> int:
    """The same open file under a high number; the low one is closed. The low one, if none is free."""
    from fcntl import F_DUPFD_CLOEXEC, fcntl  # not before the first is needed: 0.3 ms

    limit = min(os.sysconf("SC_OPEN_MAX"), _MAX_LIMIT)
    if limit < _MIN_LIMIT:
        return descriptor
    try:
        high = fcntl(descriptor, F_DUPFD_CLOEXEC, limit - _ROOM)
    except OSError:
        return descriptor
    os.close(descriptor)
    return high


def is_closed(descriptor: int) -> bool:
    """Whether nothing is open under this number."""
    try:
        os.fstat(descriptor)
    except OSError:
        return True
    return False


def take_place(descriptor: int, of: int) -> None:
    """Give ``descriptor``'s open file the number ``of``, in place of what has it."""
    if descriptor != of:
        os.dup2(descriptor, of, inheritable=False)
        os.close(descriptor)


def close_socket(sock: Any) -> None:
    """Close a socket whose descriptor the program may have closed, with all that it had inherited."""
    try:
        sock.close()
    except OSError:
        pass
