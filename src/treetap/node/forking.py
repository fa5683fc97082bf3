"""What becomes of a node when its process forks.

Before the fork our threads are ended, and after it they are started again, if no other thread would
be there: a program that is single-threaded but for us must neither be warned by Python 3.12+ that it
forks with threads, nor run the risk that the warning is about. The hooks are one a process, for they
can't be removed; they act on the nodes that are open. In the child:

=====================  =========  ===========================================================
identity               made anew  another pid; the parent's id as parent; the same tree
settings               kept       but the control plane takes any free port: the other is taken
control plane          made anew  the parent's sockets are closed here, not shut down
registry file          made anew  the parent's stays the parent's
environment            changed    what the child starts has the child as its parent
locks                  made anew  a thread of the parent that isn't here may hold them
faults                 dropped    they are the parent's
a wake under way       dropped    its thread isn't here: the child sleeps
an adoption under way  done       before the fork, so that the child has the probes too; by the child,
                                  where that takes too long
imports under way      forgotten  those of our threads, which aren't here (``thread.forget_all``)
armed probes           kept       so that no line goes unseen (``ProbeSet.start_over_in_child``)
rows in the rings      dropped    they are the parent's, who ships them; numbers start from 0
link, shipper          made anew  the parent's socket is closed here, not shut down
atexit                 kept       and multiprocessing's own way of ending is followed as well
=====================  =========  ===========================================================
"""

from __future__ import annotations

import os
import time

from treetap import proc
from treetap.interpreter import FORK_WARNS_AFTER_HOOKS
from treetap.node import forkwarning, thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from treetap.node.core import Node

#: A thread that has ended is counted by the kernel for some microseconds more.
_THREAD_END_TIMEOUT_S = 0.02
#: One that is joined ends at once, unless a busy machine has no processor for it. Whoever forks then
#: would be warned, by 3.12, of a thread that is no more.
_JOINED_END_TIMEOUT_S = 0.1


class _Hook:
    """The process's fork hooks."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.is_registered = False
        self._paused: list[Node] = []

    def run_before(self) -> None:
        forkwarning.forget()
        self._each(self.nodes, lambda node: node.life.settle())
        self._pause_where_alone()
        # Not before the pause: a shipper that is to be joined may need the engine to end.
        self._each(self.nodes, lambda node: node.life.hold_for_fork())
        # A debugger's threads can't be paused; the child is rid of it, so nobody needs the warning.
        debuggers = sum(node.life.debugger_thread_count for node in self.nodes)
        if debuggers and _count_threads() <= 1 + thread.count() + debuggers:
            forkwarning.leave_one_out()

    def _pause_where_alone(self) -> None:
        if not thread.count() or _others():
            return
        self._paused = list(self.nodes)
        self._each(self._paused, lambda node: node.pause())
        deadline_s = time.monotonic() + _JOINED_END_TIMEOUT_S
        while _count_threads() > 1 and time.monotonic() < deadline_s:
            time.sleep(0.000_05)

    def run_in_parent(self) -> None:
        self._each(self.nodes, lambda node: node.life.release_after_fork())
        paused, self._paused = self._paused, []
        if paused and FORK_WARNS_AFTER_HOOKS:
            forkwarning.leave_one_out()
        self._each(paused, lambda node: node.resume())

    def run_in_child(self) -> None:
        self._paused = []
        thread.forget_all()
        forkwarning.forget()
        self._each(self.nodes, lambda node: node.start_over_in_child())

    @staticmethod
    def _each(nodes: list[Node], step: Callable[[Node], None]) -> None:
        for node in list(nodes):
            try:
                step(node)
            except Exception as exc:  # noqa: BLE001 - a fork in somebody's program must not notice
                node.faults.add("a fork", exc)


_hook = _Hook()


def follow(node: Node) -> None:
    """Let ``node`` start over in children forked from now on."""
    if not _hook.is_registered:
        _hook.is_registered = True
        os.register_at_fork(
            before=_hook.run_before,
            after_in_parent=_hook.run_in_parent,
            after_in_child=_hook.run_in_child,
        )
    _hook.nodes.append(node)


def forget(node: Node) -> None:
    """The opposite of ``follow``; idempotent."""
    if node in _hook.nodes:
        _hook.nodes.remove(node)


def _others() -> bool:
    """Whether there are threads beside this one and ours."""
    deadline_s = time.monotonic() + _THREAD_END_TIMEOUT_S
    while _count_threads() > thread.count() + 1:
        if not thread.has_just_ended(_THREAD_END_TIMEOUT_S) or time.monotonic() > deadline_s:
            return True
        time.sleep(0.000_05)
    return False


def _count_threads() -> int:
    """Threads of this process, as the kernel counts them; 0 where it doesn't tell."""
    fields = proc.stat("self")
    return int(fields[proc.THREADS]) if fields else 0
