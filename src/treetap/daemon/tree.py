"""Which trees are awake: a process that starts in one of them is awake from the beginning."""

from __future__ import annotations

import sys

from treetap import proc


class Trees:
    """The ids of the trees that were woken. Those whose root is dead are dropped."""

    def __init__(self, awake: list[str]) -> None:
        self._awake = dict.fromkeys(awake)
        self.prune()

    @property
    def awake(self) -> list[str]:
        return list(self._awake)

    def set(self, tree: str, *, awake: bool) -> bool:
        """Whether that is news."""
        if awake == (tree in self._awake):
            return False
        if awake:
            self._awake[tree] = None
        else:
            del self._awake[tree]
        return True

    def prune(self) -> bool:
        """Drop the trees whose root is dead; whether there were any."""
        dead = [tree for tree in self._awake if not is_alive(tree)]
        for tree in dead:
            del self._awake[tree]
        return bool(dead)


def root_pid(tree: str) -> int:
    """The process id in a tree's id ``PID-STARTHEX``; 0 for what is none."""
    pid = tree.partition("-")[0]
    return int(pid) if pid.isascii() and pid.isdigit() and len(pid) < 10 else 0


def is_alive(tree: str) -> bool:
    """Whether the tree's root runs on this machine. A recycled pid is not taken for it."""
    pid = root_pid(tree)
    if not proc.is_there(pid):
        return False
    if not sys.platform.startswith("linux"):
        return True
    start_ns = process_start_ns(pid)
    return start_ns > 0 and f"{start_ns:x}" == tree.partition("-")[2]


def process_start_ns(pid: int) -> int:
    """When a process began, as ``NodeIdentity.start_ns``; 0 if it is dead or can't be asked."""
    return proc.start_ns(proc.stat(pid))
