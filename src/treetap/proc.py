"""What the system tells of a process: Linux's ``/proc``, of which others have nothing, and signal 0.

Light: every process of a tree reads it as it begins.
"""

from __future__ import annotations

import os

# Where proc(5) has its fields, less the pid and the name.
STATE = 0
PARENT = 1
GROUP = 2
SESSION = 3
TERMINAL = 4
FOREGROUND = 5
THREADS = 17
START_TICKS = 19


def stat(pid: int | str) -> list[bytes]:
    """The fields from the state on; none, if there is no such process, or no ``/proc``.

    Args:
        pid: ``"self"`` for this process; ``"PID/task/TID"`` for a thread.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The program's name, in brackets, may hold anything, a bracket too.
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def is_there(pid: int) -> bool:
    """Whether there is such a process, or a zombie; a number below 1 is no process."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def is_over(fields: list[bytes]) -> bool:
    """Of a process that is none any more: gone, or a zombie."""
    return not fields or fields[STATE] in (b"Z", b"X")


def start_ns(fields: list[bytes]) -> int:
    """When it started, in ns since the boot (the kernel counts in ticks of 10 ms); 0 if it is over."""
    if is_over(fields):
        return 0
    return int(fields[START_TICKS]) * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))


def boot_id() -> str:
    """Differs between two boots and two machines; ``""`` where the system doesn't tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""
