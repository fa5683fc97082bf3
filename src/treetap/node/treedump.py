"""A dump of trees: what each process does now, asked of each at its control plane, in the tree's order.

Not loaded before somebody asks for a dump.
"""

from __future__ import annotations

import _thread
import json

from treetap.errors import LinkError
from treetap.link import http
from treetap.node import lineage, registry, thread
from treetap.stack import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from treetap.model.node import NodeIdentity
    from treetap.node.lineage import Member
    from treetap.node.registry import LiveNode

#: A process that is busy in C code, or stopped, doesn't answer.
ASK_TIMEOUT_S = 3.0
_MAX_THREADS = 16
_MAX_COMMAND_CHARS = 200

NO_NODE = "no node: it can't be looked into"


class Entry:
    """One process of a dump.

    Attributes:
        member: Who it is.
        dump: What it does; ``None`` if that can't be known.
        why: Why not.
    """

    __slots__ = ("dump", "member", "why")

    def __init__(self, member: Member, dump: dict[str, Any] | None, why: str) -> None:
        self.member = member
        self.dump = dump
        self.why = why

    def to_dict(self) -> dict[str, Any]:
        member = self.member
        node = member.node
        return {
            "pid": member.pid,
            "depth": member.depth,
            "name": member.name,
            "command": member.command,
            "node": node.identity.id if node is not None else None,
            "tree": member.tree,
            "dump": self.dump,
            "why": self.why,
        }


def dumps(members: list[Member], ask: Callable[[LiveNode], dict[str, Any]]) -> list[Entry]:
    """One entry a process, in the order given; all are asked side by side.

    Args:
        members: Whom.
        ask: Asks a node; raises ``LinkError`` if it doesn't answer.
    """
    found: list[Entry] = [Entry(member, None, NO_NODE) for member in members]
    ahead = [entry for entry in reversed(found) if entry.member.node is not None]

    def work() -> None:
        while True:
            try:
                entry = ahead.pop()  # atomic
            except IndexError:
                return
            assert entry.member.node is not None
            if entry.member.is_stopped:
                entry.why = "doesn't answer: it is stopped"
                continue
            try:
                entry.dump, entry.why = ask(entry.member.node), ""
            except LinkError as exc:
                entry.why = f"doesn't answer: {exc.what}"

    _together(work, min(len(ahead), _MAX_THREADS))
    return found


def ask(node: LiveNode, token: str) -> dict[str, Any]:
    """What a node says that it does.

    Raises:
        LinkError: It doesn't answer, or answers something else.
    """
    headers = {"authorization": f"Bearer {token}"} if token else {}
    url = f"{node.control_url}/treetap/dump"
    response = http.request(url, timeout_s=ASK_TIMEOUT_S, headers=headers)
    try:
        answer = json.loads(response.body)
    except ValueError as exc:
        raise LinkError("Its answer is no JSON.", slug=http.MALFORMED) from exc
    if response.status != 200:
        error = answer.get("error") if isinstance(answer, dict) else None
        what = error.get("what") if isinstance(error, dict) else f"status {response.status}"
        raise LinkError(str(what), slug="link-refused")
    return dict(answer)


def tree_members(home: str, own: NodeIdentity) -> list[Member]:
    """The processes of this process's tree, in order; this one is there, whatever the registry says."""
    nodes = [node for node in registry.live_nodes(home) if node.identity.tree == own.tree]
    if own.id not in [node.identity.id for node in nodes]:
        nodes.append(registry.LiveNode(own, "", 0))
    return lineage.trees(nodes)[own.tree]


def lines(entries: list[Entry], notes: dict[int, str] | None = None) -> Iterator[str]:
    """A block a process.

    Args:
        entries: In order.
        notes: What more is known of a process, by pid.
    """
    for entry in entries:
        member = entry.member
        note = (notes or {}).get(member.pid, "")
        title = f"== {member.name} ({member.pid}), depth {member.depth}"
        title += f", {note}" if note else ""
        command = " ".join(member.command.split())[:_MAX_COMMAND_CHARS]
        title += f": {command}" if command else ""
        yield text.plain(title)
        if entry.dump is None:
            yield f"{text.plain(entry.why)}"
        else:
            yield from text.lines(entry.dump)
        yield ""


def _together(work: Callable[[], None], count: int) -> None:
    """``work`` in this thread, and in others beside it if there can be any; returns when all are done."""
    done = [_thread.allocate_lock() for _ in range(count - 1)]

    def run(lock: _thread.LockType) -> None:
        try:
            work()
        finally:
            lock.release()

    started = []
    for lock in done:
        lock.acquire()
        try:
            thread.start(run, lock)
        except RuntimeError:
            break
        started.append(lock)
    work()
    for lock in started:
        lock.acquire(timeout=ASK_TIMEOUT_S + 1.0)
