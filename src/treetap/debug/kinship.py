"""What the kernel knows of a process: its parent, group, session and start; where it is in its tree.

Elsewhere than on Linux these facts are not looked up: a process is then of its own group only, and
its depth isn't shown.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, NamedTuple

from treetap import proc

if TYPE_CHECKING:
    from collections.abc import Iterator

TREE_VARIABLE = "TREETAP_TREE"
#: In an actor: ``PID DEPTH NAME``. To the kernel all actors are children of one process.
ACTOR_VARIABLE = "TREETAP_ACTOR_NAME"
#: A chain of parents that is longer is taken for a race between two readings.
_MAX_DEPTH = 64


class Process(NamedTuple):
    """One line of ``/proc/PID/stat``.

    Attributes:
        state: One letter: ``"T"`` is stopped, ``"Z"`` a zombie.
        start_ticks: When it started, in clock ticks since the boot.
        terminal: Device number of its controlling terminal; 0 if it has none.
        foreground: The process group in that terminal's foreground; -1 if it has none.
    """

    pid: int
    state: str
    parent: int
    group: int
    session: int
    start_ticks: int
    terminal: int = 0
    foreground: int = -1


def read_process(pid: int) -> Process | None:
    """The process; ``None`` if there is none, or this system doesn't tell."""
    fields = proc.stat(pid)
    if not fields:
        return None
    parent, group, session, tty, foreground = map(int, fields[proc.PARENT : proc.FOREGROUND + 1])
    state, start_ticks = fields[proc.STATE].decode(), int(fields[proc.START_TICKS])
    return Process(pid, state, parent, group, session, start_ticks, tty, foreground)


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped: by the keyboard, a signal, or somebody who traces it."""
    process = read_process(pid)
    return process is not None and process.state in "Tt"


def wake(pid: int) -> None:
    """Let a stopped process go on, and nobody else of its job."""
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGCONT)


def ancestors(pid: int, root: int) -> list[Process]:
    """The process and its ancestors, up to ``root``, or to the one below init."""
    found: list[Process] = []
    while len(found) < _MAX_DEPTH:
        process = read_process(pid)
        if process is None:
            break
        found.append(process)
        if pid == root or process.parent <= 1:
            break
        pid = process.parent
    return found


def terminals_process(pid: int) -> int:
    """This process if it has a terminal, else the nearest above it that has one; 0 for none.

    ``treetap run --relay`` has one, and what it runs hasn't. A shell's own is for the shell.
    """
    for process in ancestors(pid, 0):
        if process.terminal:
            is_shell = process.pid == process.session and process.pid != pid
            return 0 if is_shell else process.pid
    return 0


def depth(pid: int, root: int) -> int | None:
    """How many processes are above this one, up to ``root``; ``None`` if ``root`` isn't above it."""
    chain = ancestors(pid, root)
    return len(chain) - 1 if chain and chain[-1].pid == root else None


def own_depth(root: int) -> int | None:
    """How deep this process is in its tree, as the user sees it; ``None`` if that can't be known."""
    actor = actor_here()
    return depth(os.getpid(), root) if actor is None else actor[1]


def actor_here() -> tuple[str, int] | None:
    """Name and depth of this process, if it is an actor."""
    pid, _, rest = os.environ.get(ACTOR_VARIABLE, "").partition(" ")
    level, _, name = rest.partition(" ")
    if pid != str(os.getpid()) or not level.isdecimal():
        return None
    return name, int(level)


def job_groups(pid: int, root: int) -> set[int]:
    """The process groups that may have the terminal while this process is in the foreground.

    A shell with job control is the leader of the session, and in a group of its own: where that has
    the terminal, the process is in the background.
    """
    groups: set[int] = set()
    chain = ancestors(pid, root)
    for process in chain:
        if process.session != chain[0].session:
            break
        if process.pid in (pid, root) or process.pid != process.session:
            groups.add(process.group)
    return groups


def is_group_there(group: int) -> bool:
    """Whether a process can enter it: who has ended and isn't reaped yet keeps it."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def is_group_alive(group: int) -> bool:
    """Whether anybody is in a process group; who has ended and isn't reaped yet isn't."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if group <= 0 or not os.path.isdir("/proc/self"):
        return group > 0
    return any(_members(group))


def is_looked_after(group: int) -> bool:
    """Whether a shell would notice that the group is stopped, and let it go on.

    POSIX's word for one that isn't is orphaned; its processes ignore the stop signals of the
    terminal, but each finds that out for itself, and later.
    """
    for member in _members(group):
        parent = read_process(member.parent)
        if parent and parent.session == member.session and parent.group != group:
            return True
    return not os.path.isdir("/proc/self")


def _members(group: int) -> Iterator[Process]:
    """Who is in a process group, and hasn't ended; nobody where this system doesn't tell."""
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        member = read_process(int(name)) if name.isdigit() else None
        if member is not None and member.group == group and member.state not in "ZX":
            yield member


def forget_pending_stops(group: int) -> None:
    """Have the processes of a group that nobody looks after forget a ctrl-z they haven't seen yet.

    Each finds out for itself, when it next runs, that there is nobody who would let it go on, and
    ignores the signal. If one of the group has left it by then and has children there, somebody seems
    to be: a process stops for good, and if the one who has left is killed, the kernel takes the group
    for an abandoned job with a stopped process in it, and ends all of it by SIGHUP. SIGCONT takes
    stop signals out that are pending.
    """
    for member in _members(group):
        if _is_to_stop(member.pid):
            wake(member.pid)


def _is_to_stop(pid: int) -> bool:
    """Whether a ctrl-z is pending for a process, or for its first thread."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return False
    pending = 0
    for line in lines:
        if line.startswith((b"SigPnd:", b"ShdPnd:")):
            pending |= int(line.split()[1], 16)
    return bool(pending & 1 << (signal.SIGTSTP - 1))


def root_of(tree: str) -> int:
    """The pid of a tree's root while it lives, by the tree's id ``PID-START``; 0 once it is gone."""
    pid, _, start = tree.partition("-")
    if not pid.isdecimal():
        return 0
    started_ns = proc.start_ns(proc.stat(int(pid)))
    return int(pid) if started_ns and f"{started_ns:x}" == start else 0
