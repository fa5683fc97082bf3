"""What only some kernels can do for a tree. Each call does nothing where the kernel can't.

On Linux a process dies with its parent if it asks for that, and takes in the orphans below it. On
macOS neither is there: an actor then learns of the spawner's end by the end of its control socket,
which a process that is stuck doesn't see; and a program left by an actor that was killed lives on.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# From <linux/prctl.h>.
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _find_prctl() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        import ctypes

        found: Callable[..., int] = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None
    return found


_prctl = _find_prctl()


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent dies; end now if it has died already."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL.value, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def take_in_orphans() -> None:
    """Become the parent of every process below this one whose own parent dies."""
    if _prctl is not None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def child_pids() -> list[int]:
    """The pids of this process's children; empty where the kernel doesn't tell."""
    pid = os.getpid()
    try:
        with open(f"/proc/self/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def thread_count() -> int:
    """How many threads this process has; 1 where the kernel doesn't tell."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1


def process_descriptor(pid: int) -> int:
    """A descriptor that becomes readable when the process ends; -1 where there is none."""
    opener = getattr(os, "pidfd_open", None)
    if opener is None:
        return -1
    try:
        return int(opener(pid))
    except OSError:
        return -1


def has_socket(pid: int, number: int, inode: int) -> bool:
    """Whether a process has this socket as descriptor ``number``, as far as is known."""
    try:
        return os.readlink(f"/proc/{pid}/fd/{number}") == f"socket:[{inode}]"
    except OSError:
        return False


def environment_has(pid: int, entry: str) -> bool:
    """Whether a process was started with ``NAME=value`` in its environment, as far as is known."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return os.fsencode(entry) in file.read().split(b"\0")
    except OSError:
        return False
