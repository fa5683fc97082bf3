"""The processes of trees, in order: parents before children, each once, nodes or not.

Whose child a node is, it says itself: an actor is a child of the actor that started it, though the
kernel knows its spawner only. Processes between two nodes, a shell or ``make``, and those below a
node that are none, are found by the kernel's word; treetap's own broker isn't one of them. Where the
system doesn't list processes (elsewhere than on Linux) there are nodes only.
"""

from __future__ import annotations

import os

from treetap import proc
from treetap.node import identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from treetap.node.registry import LiveNode

_MAX_COMMAND_BYTES = 4096
#: In the command line of the process that forks the actors of a tree.
_SPAWNER = "treetap.actor.spawner"
#: In that of the process that shares the terminal out, which is nobody's child, but may be an orphan that
#: the spawner has taken in; and in those of its own children.
_BROKER = "treetap.debug.broker_process"


class Process:
    """What the kernel knows of a process.

    Attributes:
        pid: Its pid.
        state: A letter: ``"T"`` is stopped.
        parent: Pid of its parent.
        start_ticks: When it started, in clock ticks since the boot.
    """

    __slots__ = ("parent", "pid", "start_ticks", "state")

    def __init__(self, pid: int, state: str, parent: int, start_ticks: int) -> None:
        self.pid = pid
        self.state = state
        self.parent = parent
        self.start_ticks = start_ticks

    def command(self) -> str:
        """Its command line; what the kernel calls it where it has none."""
        for name, end in (("cmdline", b"\0"), ("comm", b"\n")):
            try:
                with open(f"/proc/{self.pid}/{name}", "rb") as file:
                    words = file.read(_MAX_COMMAND_BYTES).rstrip(end).replace(b"\0", b" ")
            except OSError:
                return ""
            if words:
                return words.decode("utf-8", "replace")
        return ""

    def is_alive(self) -> bool:
        """Whether it is still there, and no other has its pid."""
        now = read_process(self.pid)
        return now is not None and now.start_ticks == self.start_ticks and now.state not in "ZX"


class Member:
    """A process of a tree.

    Attributes:
        pid: Its pid.
        depth: How many processes of the tree are above it.
        tree: The tree's id.
        parent: Pid of its parent within the tree; 0 for none.
        node: What the registry knows of it; ``None`` if it is no node.
        process: What the kernel knows of it; ``None`` where it doesn't tell.
    """

    __slots__ = ("depth", "node", "parent", "pid", "process", "tree")

    def __init__(self, pid: int, node: LiveNode | None, process: Process | None) -> None:
        self.pid = pid
        self.depth = 0
        self.tree = ""
        self.parent = 0
        self.node = node
        self.process = process

    @property
    def name(self) -> str:
        """The node's; else that of the program."""
        if self.node is not None:
            return self.node.identity.name
        if self.process is not None and _is_spawner(self.process):
            return "treetap's spawner"
        words = self.command.split(" ", 1)
        return os.path.basename(words[0].lstrip("-")) or "?"

    @property
    def command(self) -> str:
        """What it runs."""
        if self.node is not None:
            return self.node.identity.program
        return self.process.command() if self.process is not None else ""

    @property
    def is_stopped(self) -> bool:
        """By ctrl-z, or by a debugger."""
        return self.process is not None and self.process.state in "Tt"

    def is_alive(self) -> bool:
        """Whether it is still there, and no other has its pid."""
        if self.process is not None:
            return self.process.is_alive()
        assert self.node is not None
        who = self.node.identity
        return identity.process_start_ns(who.pid) == who.start_ns


def read_process(pid: int) -> Process | None:
    """The process; ``None`` if there is none, or this system doesn't tell."""
    fields = proc.stat(pid)
    if not fields:
        return None
    state, parent = fields[proc.STATE].decode(), int(fields[proc.PARENT])
    return Process(pid, state, parent, int(fields[proc.START_TICKS]))


def trees(nodes: list[LiveNode]) -> dict[str, list[Member]]:
    """``{tree: its processes}``, in the order of ``nodes`` and, within a tree, of the tree."""
    found = _Kin(nodes)
    return {tree: found.ordered(tree) for tree in dict.fromkeys(n.identity.tree for n in nodes)}


class _Kin:
    """Who is whose child, of all processes that matter."""

    def __init__(self, nodes: list[LiveNode]) -> None:
        self._nodes = {node.identity.pid: node for node in nodes}
        self._by_id = {node.identity.id: node for node in nodes}
        self._processes = {process.pid: process for process in _processes()}
        self._trees: dict[int, str] = {}
        for node in nodes:
            self._trees[node.identity.pid] = node.identity.tree
        for tree in {node.identity.tree for node in nodes}:
            root = _root_of(tree)
            if root in self._processes:
                self._trees.setdefault(root, tree)
        for pid in list(self._processes):
            self._find_tree(pid)

    def ordered(self, tree: str) -> list[Member]:
        pids = [
            pid for pid, found in self._trees.items() if found == tree and not self._is_broker(pid)
        ]
        parents = {pid: self._parent(pid, tree) for pid in pids}
        children: dict[int, list[int]] = {}
        for pid, parent in parents.items():
            children.setdefault(parent, []).append(pid)
        root = _root_of(tree)
        ahead = [(pid, 0) for pid in self._by_age(children.get(0, ()), first=root)]
        found: list[Member] = []
        seen: set[int] = set()
        while ahead:
            pid, depth = ahead.pop()
            if pid in seen:
                continue
            seen.add(pid)
            member = Member(pid, self._nodes.get(pid), self._processes.get(pid))
            member.depth, member.tree, member.parent = depth, tree, parents[pid]
            found.append(member)
            ahead += [(child, depth + 1) for child in self._by_age(children.get(pid, ()))]
            if not ahead:
                # Two that say that they are each other's parents are nobody's children.
                ahead = [(lost, 0) for lost in pids if lost not in seen][:1]
        return found

    def _by_age(self, pids: Iterable[int], first: int = 0) -> list[int]:
        """Oldest last, for a stack; ``first`` is older than all."""

        def age(pid: int) -> tuple[bool, int, int]:
            process, node = self._processes.get(pid), self._nodes.get(pid)
            if process is not None:
                return pid != first, process.start_ticks, pid
            return pid != first, node.identity.start_ns if node is not None else 0, pid

        return sorted(pids, key=age, reverse=True)

    def _find_tree(self, pid: int) -> None:
        """Give a process, and those above it, the tree of the next above that has one."""
        path: list[int] = []
        here = pid
        while here in self._processes and here not in self._trees and here not in path:
            path.append(here)
            here = self._processes[here].parent
        tree = self._trees.get(here, "")
        if tree:
            self._trees.update(dict.fromkeys(path, tree))

    def _parent(self, pid: int, tree: str) -> int:
        """The parent's pid within the tree; 0 for none."""
        above = self._above(pid)
        direct = next(iter(above), 0)
        direct = direct if self._trees.get(direct) == tree else 0
        node = self._nodes.get(pid)
        said = self._by_id.get(node.identity.parent) if node is not None else None
        if said is None or said.identity.tree != tree or said.identity.pid == pid:
            return direct
        nearest = next((other for other in above if other in self._nodes), 0)
        if not direct or nearest != said.identity.pid or _is_spawner(self._processes[direct]):
            return said.identity.pid
        return direct

    def _is_broker(self, pid: int) -> bool:
        process = self._processes.get(pid)
        return pid not in self._nodes and process is not None and _BROKER in process.command()

    def _above(self, pid: int) -> list[int]:
        found: list[int] = []
        process = self._processes.get(pid)
        while process is not None and process.parent > 1 and process.parent not in found:
            found.append(process.parent)
            process = self._processes.get(process.parent)
        return found


def _is_spawner(process: Process) -> bool:
    return _SPAWNER in process.command()


def _processes() -> Iterator[Process]:
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in names:
        process = read_process(int(name)) if name.isdigit() else None
        if process is not None and process.state not in "ZX":
            yield process


def _root_of(tree: str) -> int:
    """The pid of a tree's root while it lives; 0 once it is gone."""
    pid, _, start = tree.partition("-")
    if not pid.isdecimal():
        return 0
    return int(pid) if f"{identity.process_start_ns(int(pid)):x}" == start else 0
