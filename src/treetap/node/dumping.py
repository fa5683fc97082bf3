"""What follows a SIGUSR1: a dump of the whole tree on this process's standard error, in one piece.

A signal may come to many processes at once, as one that is sent to a process group does. One of them
writes; who comes while it does, or just after, has been served.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time

from treetap.node import registry, treedump
from treetap.stack import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

    from treetap.node.core import Node
    from treetap.node.registry import LiveNode

#: So long after a dump a signal is taken for one of those that it was an answer to.
COALESCING_S = 1.0
#: Who writes may be stopped in the middle of it.
_TURN_TIMEOUT_S = 10.0
_TURN_POLL_S = 0.01


def dump_tree(node: Node, asked_s: float) -> None:
    """Write the dump, unless somebody else has.

    Args:
        node: Of this process.
        asked_s: When the signal came, by the clock that all processes share.

    Raises:
        OSError: There is no standard error, or it can't be written.
    """
    # Where it is closed, what is opened next would be taken for it.
    os.fstat(2)
    with _Turn(node.settings.home, node.identity.tree) as turn:
        # A time to come is of before the machine was started anew.
        if asked_s - COALESCING_S < turn.last_s <= time.monotonic():
            return
        _write(_text(node))
        turn.note()


def _text(node: Node) -> bytes:
    def ask(other: LiveNode) -> dict[str, Any]:
        if other.identity.id == node.identity.id:
            return dump.take()
        return treedump.ask(other, node.token())

    members = treedump.tree_members(node.settings.home, node.identity)
    found = treedump.dumps(members, ask)
    return "".join(f"{line}\n" for line in treedump.lines(found)).encode("utf-8", "replace")


def _write(written: bytes) -> None:
    # A terminal may stop who writes to it from the background.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
    left = memoryview(written)
    while left:
        left = left[os.write(2, left) :]


class _Turn:
    """The right to write a dump, among all processes of a home; and when the last one of a tree was.

    A home that can't be written has no turns: everybody writes.
    """

    def __init__(self, home: str, tree: str) -> None:
        self._home = home
        self._tree = tree
        self._descriptor = -1
        self.last_s = float("-inf")

    def __enter__(self) -> Self:
        try:
            path = f"{registry.make_directory(self._home, 'run')}/dump.lock"
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return self
        deadline_s = time.monotonic() + _TURN_TIMEOUT_S
        while not self._take() and time.monotonic() < deadline_s:
            time.sleep(_TURN_POLL_S)
        tree, _, when = os.pread(self._descriptor, 100, 0).decode("ascii", "replace").partition(" ")
        if tree == self._tree:
            try:
                self.last_s = float(when)
            except ValueError:
                pass  # not written to its end
        return self

    def note(self) -> None:
        """A dump of the tree has been written now."""
        if self._descriptor < 0:
            return
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{self._tree} {time.monotonic()}".encode(), 0)

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def _take(self) -> bool:
        try:
            # Not flock, which a child that is forked meanwhile would keep.
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True
