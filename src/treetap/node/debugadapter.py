"""The adapter: the process that debugpy starts beside ours, and that listens on the debug port.

It makes itself a daemon, so it is nobody's child, and debugpy keeps no word of it. It is told from
others by a mark in its environment, and held by a descriptor (``pidfd_open``), which a recycled pid
can't deceive. Where the system has neither, it is known by its port alone.
"""

from __future__ import annotations

import os
import select
import signal
import time

from treetap.node.identity import PARENT_VARIABLE, TREE_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: The mark: a word of the one who had it started.
MARK_VARIABLE = "TREETAP_DEBUG_ADAPTER"

#: An adapter whose program has left it ends by itself in some 50 ms, or when its editor, which it tells
#: at once, has left too. An editor that doesn't is not waited for.
_PATIENCE_S = 1.0
#: After SIGKILL; only the kernel takes part in that.
_KILL_PATIENCE_S = 2.0

#: What makes a Python process one of our tree, or says how it is to behave there.
_NOT_FOR_IT = (TREE_VARIABLE, PARENT_VARIABLE, "PYTHONBREAKPOINT", "PYTHONSTARTUP")


def environment(base: Mapping[str, str], mark: str, startup_directory: str) -> dict[str, str]:
    """``base`` for the adapter: marked, and not a part of the tree.

    Args:
        base: Usually ``os.environ``; left as it is.
        mark: To find the adapter by; unlike that of any other.
        startup_directory: What makes a Python process a node, if it is in ``PYTHONPATH``.
    """
    changed = {name: value for name, value in base.items() if name not in _NOT_FOR_IT}
    paths = [
        path
        for path in base.get("PYTHONPATH", "").split(os.pathsep)
        if path and path != startup_directory
    ]
    changed.pop("PYTHONPATH", None)
    if paths:
        changed["PYTHONPATH"] = os.pathsep.join(paths)
    changed[MARK_VARIABLE] = mark
    return changed


class Adapter:
    """A running adapter.

    Args:
        mark: In its environment.

    Attributes:
        pid: Its pid; 0 where it can't be found.
    """

    def __init__(self, mark: str) -> None:
        self.pid = _find(mark)
        self._descriptor = -1
        if self.pid:
            try:
                self._descriptor = os.pidfd_open(self.pid)
            except (AttributeError, OSError):
                self.pid = 0  # there is none to hold, or it has ended already

    def end(self, patience_s: float = _PATIENCE_S) -> bool:
        """Wait for its end, and bring that about if it doesn't come; whether it has ended.

        Where it can't be found, that is taken to be so: its port tells.
        """
        if self._descriptor < 0:
            return True
        try:
            is_over = self._wait(patience_s)
            if not is_over:
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
                is_over = self._wait(_KILL_PATIENCE_S)
            if is_over:
                self._reap()
            return is_over
        except OSError:
            return True  # no such process
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Give up the hold of it; idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _wait(self, timeout_s: float) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        deadline_s = time.monotonic() + timeout_s
        return bool(poll.poll(max(0.0, deadline_s - time.monotonic()) * 1000))

    def _reap(self) -> None:
        """It is ours to reap where we are the first process of a container."""
        try:
            os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pass  # as a rule


def _find(mark: str) -> int:
    wanted = f"{MARK_VARIABLE}={mark}".encode()
    try:
        entries = os.listdir("/proc")
    except OSError:
        return 0
    own = os.getpid()
    # The youngest as a rule has the highest number.
    for pid in sorted((int(entry) for entry in entries if entry.isdigit()), reverse=True):
        if pid == own:
            continue
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if wanted in file.read().split(b"\0"):
                    return pid
        except OSError:
            continue  # another user's, or gone
    return 0
