"""All targets: registered by others, remembered across the daemon's restarts."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import msgspec

from treetap import dap
from treetap.daemon import standing, target_identity
from treetap.daemon.target import Target
from treetap.daemon.target_identity import Registration, checked
from treetap.daemon.target_link import TargetLink
from treetap.daemon.target_spent import Spent
from treetap.errors import TargetError
from treetap.store.schema import node_key

if TYPE_CHECKING:
    from pathlib import Path

    from treetap.daemon.roster import Link, NodeEntry, Roster
    from treetap.daemon.target_link import Receiver
    from treetap.dap import Child, Session
    from treetap.model.node import NodeIdentity

log = logging.getLogger(__name__)

TARGETS_FILE = "targets.json"
#: How long a registration waits for its adapter; clients wait 5 s for the answer.
ANSWER_S = 3.0
#: For all to be let go, at the daemon's end.
_STOP_S = 10.0
#: A child waits for this before its first line.
_CHILD_S = 10.0
#: Of those that are over, so many are remembered.
_MAX_OVER = 500
_MAX_CHILDREN_OVER = 50
#: Of their nodes, gone ones too.
_MAX_NODES = 10_000


class Targets:
    """Made by the daemon; ``start`` to ``stop``.

    Args:
        daemon: Where nodes are welcomed, and rows go.
        roster: Of the nodes.
        path: Of the file that remembers them.
    """

    def __init__(self, daemon: Receiver, roster: Roster, path: Path) -> None:
        self._daemon = daemon
        self._roster = roster
        self._path = path
        self._targets: dict[str, Target] = {}
        # By key of each node that ever was a target's process.
        self._of_node: dict[int, str] = {}
        self._is_stopping = False

    def start(self) -> None:
        """Attach again to those that an earlier daemon had."""
        for fields in standing.read(self._path).get("targets", []):
            try:
                saved = msgspec.convert(fields, _Saved)
                registration = checked(saved.registration)
            except (msgspec.ValidationError, TargetError):
                log.warning("a target of %s can't be read", self._path)
                continue
            target = Target(
                self, saved.id, registration, created_us=saved.created_us, spent=_spent_of(saved)
            )
            self._targets[target.id] = target
            target.open()

    async def stop(self) -> None:
        """Let all go; their programs run on."""
        self._is_stopping = True
        targets = self._remembered()
        await asyncio.gather(*(target.close(_STOP_S) for target in self.all()))
        # What their probes had is known now.
        self._write(targets)

    async def register(
        self,
        host: str,
        port: int,
        language: str,
        name: str,
        workspace_root: str = "",
        hostname: str = "",
        *,
        control_url: str = "",
        pid: int = 0,
        safe_mode: bool = False,
    ) -> Target:
        """Observe a process; answers within ``ANSWER_S`` seconds, whatever its adapter does.

        The same program at the same address is the same target, and so is one that was started
        again on another port, when its earlier process is over. A target that can't be attached to
        is known all the same, and tried again: its ``state`` and ``error`` say how it stands.

        Raises:
            TargetError: A field can't be used (slug ``target-invalid``).
        """
        registration = checked(
            Registration(
                host, port, language, name, workspace_root, hostname, control_url, pid, safe_mode
            )
        )
        target = self._known(registration)
        # Another program has their port now, or the same one says another name.
        displaced = [t for t in self.all() if t is not target and _is_displaced(t, registration)]
        await asyncio.gather(*(other.close() for other in displaced))
        if target is None:
            target = Target(self, target_identity.target_id(registration), registration)
            self._targets[target.id] = target
        target.open(registration)
        for child in self._children(target):
            child.open(child.registration._replace(is_safe_mode=registration.is_safe_mode))
        self._forget_oldest()
        self._save()
        await target.answered(ANSWER_S)
        return target

    def all(self) -> list[Target]:
        """Oldest first."""
        return list(self._targets.values())

    def get(self, target_id: str) -> Target:
        """Raises ``TargetError`` (slug ``target-unknown``)."""
        target = self._targets.get(target_id)
        if target is None:
            raise TargetError(
                f"There is no target {target_id[:100]!r}.",
                "See them with: treetap target list.",
                slug="target-unknown",
            )
        return target

    def of_node(self, key: int) -> Target | None:
        """The target whose process the node of this key is, or was."""
        return self._targets.get(self._of_node.get(key, ""))

    async def close(self, target_id: str) -> Target:
        """Let it go; it stays known until a clean-up.

        Raises:
            TargetError: There is none (slug ``target-unknown``).
        """
        target = self.get(target_id)
        await target.close()
        self._save()
        return target

    async def cleanup(self) -> int:
        """Forget those that are disconnected or failed; how many."""
        over = [target for target in self.all() if target.is_over]
        for target in over:
            await target.close()
            self._targets.pop(target.id, None)
        self._save()
        return len(over)

    def alias(self, identity: NodeIdentity) -> str:
        """The tree of the target that this node is of; ``""`` if it is of none."""
        target = self.of_node(node_key(identity))
        return target.tree if target is not None and target.is_open else ""

    def look(self, key: int) -> None:
        """The link of the node of this key came or went: its target acts upon it."""
        target = self.of_node(key)
        if target is not None:
            target.look()

    # -- targets call these -------------------------------------------------------------------

    async def attach(self, registration: Registration, **options: Any) -> Session:
        is_child = options.pop("child")
        pid = registration.pid
        return await dap.attach(
            registration.host,
            registration.port,
            registration.language,
            name=registration.name,
            pid=0 if is_child else pid,
            child_pid=pid if is_child else 0,
            **options,
        )

    async def adopt(self, parent: Target, child: Child) -> None:
        """A child is a target of its own, of its parent's tree; one that is linked is left alone."""
        registration = parent.registration._replace(
            host=child.host, port=child.port, pid=child.pid, control_url=""
        )
        target_id = target_identity.target_id(registration)
        target = Target(self, f"{target_id}-{child.pid}", registration, parent=parent)
        self._targets[target.id] = target
        target.open()
        self._forget_oldest()
        await target.answered(_CHILD_S)

    def changed(self, target: Target) -> None:
        if target.node_key:
            self._of_node[target.node_key] = target.id
            while len(self._of_node) > _MAX_NODES:
                del self._of_node[next(iter(self._of_node))]
        entry = self._roster.get(target.node_key)
        if target.is_linked and entry is not None and entry.link is not None:
            # It has been told of those that are for its own tree.
            revision, probes = self.probes_for(entry.identity)
            entry.link.send({"type": "probes", "revision": revision, "probes": probes})
        if not target.is_child:
            self._save()

    def linked(self, identity: NodeIdentity) -> NodeEntry | None:
        entry = self._roster.get(node_key(identity))
        if entry is None or entry.link is None or isinstance(entry.link, TargetLink):
            return None
        return entry

    async def welcome(self, session: Link, identity: NodeIdentity) -> NodeEntry:
        return await self._daemon.welcome(session, identity)

    def probes_for(self, identity: NodeIdentity) -> tuple[int, list[dict[str, Any]]]:
        return self._daemon.probes_for(identity)

    def receive(self, entry: NodeEntry, message: Any, size_bytes: int) -> None:
        self._daemon.receive(entry, message, size_bytes)

    def lost(self, entry: NodeEntry, session: Link, reason: str) -> None:
        self._daemon.lost(entry, session, reason)

    # -- inside -------------------------------------------------------------------------------

    def _children(self, target: Target) -> list[Target]:
        """Those that are observed at this moment, of any depth: they are of one tree."""
        return [
            each
            for each in self.all()
            if each.is_child and each.is_alive and each.tree == target.tree
        ]

    def _known(self, registration: Registration) -> Target | None:
        """The target that a registration is of: by its address, or by its program if that is over."""
        mine = [
            t
            for t in self.all()
            if not t.is_child and t.registration.program == registration.program
        ]
        for target in mine:
            if target.registration.address == registration.address:
                return target
        over = [target for target in mine if target.is_over]
        return over[-1] if over else None

    def _forget_oldest(self) -> None:
        for is_child, most in ((False, _MAX_OVER), (True, _MAX_CHILDREN_OVER)):
            over = [t for t in self.all() if t.is_child == is_child and not t.is_open]
            for target in over[: max(0, len(over) - most)]:
                del self._targets[target.id]

    def _save(self) -> None:
        if not self._is_stopping:
            self._write(self._remembered())

    def _remembered(self) -> list[Target]:
        return [target for target in self.all() if target.is_open and not target.is_child]

    def _write(self, targets: list[Target]) -> None:
        saved = [
            msgspec.to_builtins(_Saved(t.id, t.registration, t.created_us, t.spent.to_plain()))
            for t in targets
        ]
        try:
            standing.write_atomically(self._path, {"targets": saved})
        except OSError:
            # The next daemon will have to be told of them again; everything else works.
            log.exception("the targets can't be written down")


class _Saved(msgspec.Struct):
    id: str
    registration: Registration
    created_us: int
    spent: dict[str, Any] = {}


def _spent_of(saved: _Saved) -> Spent | None:
    try:
        return Spent.from_plain(saved.spent) if saved.spent else None
    except (KeyError, TypeError, ValueError):
        log.warning("what the probes of target %s had can't be read", saved.id)
        return None


def _is_displaced(target: Target, registration: Registration) -> bool:
    return (
        target.is_open
        and not target.is_child
        and target.registration.address == registration.address
    )
