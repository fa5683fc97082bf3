"""How the last rows get out when a process ends.

``atexit`` runs after the program's own threads were joined and, since callbacks run last-in
first-out and we come early, after the program's own callbacks: what they hit is shipped too. Our
thread, a daemon thread, still runs then. ``threading._register_atexit`` would run before the join.

A child that ``multiprocessing`` forked ends by ``os._exit``, without ``atexit``, but runs the
finalizers of ``multiprocessing.util``. Plain ``os._exit``, ``exec`` and signals run nothing: such a
process loses what it recorded in its last 5 ms, and the daemon sees its numbers end.
"""

from __future__ import annotations

import atexit
import sys

from treetap.node import thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treetap.node.core import Node

#: The end of a process may be delayed by this much, if it has rows to ship and its link is just being
#: opened, or its daemon doesn't read. A daemon that is down refuses at once.
FINISH_TIMEOUT_S = 3.0

#: Among multiprocessing's finalizers the last, for others may run lines with probes on them.
_LAST = -1_000_000


class _Callbacks:
    """One ``atexit`` callback for all nodes: a callback can't be told from others of its kind."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def run(self) -> None:
        for node in list(self.nodes):
            node.finish(FINISH_TIMEOUT_S)
        thread.start_no_more()


_callbacks = _Callbacks()


def follow(node: Node) -> None:
    """Have ``node`` finish when the interpreter ends."""
    if not _callbacks.nodes:
        atexit.register(_callbacks.run)
    _callbacks.nodes.append(node)


def forget(node: Node) -> None:
    """The opposite of ``follow``; idempotent."""
    if node in _callbacks.nodes:
        _callbacks.nodes.remove(node)
        if not _callbacks.nodes:
            atexit.unregister(_callbacks.run)


def follow_in_child(node: Node) -> None:
    """Have ``node`` finish in a child that multiprocessing has just forked."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        # Its bootstrap clears the finalizers first, and then calls those registered here.
        util.register_after_fork(node, _finish_with_multiprocessing)


def _finish_with_multiprocessing(node: Node) -> None:
    from multiprocessing.util import Finalize

    Finalize(None, node.finish, args=(FINISH_TIMEOUT_S,), exitpriority=_LAST)
