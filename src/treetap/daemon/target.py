"""A target: a process that is observed through its debug adapter, or that program's next process.

One task a target attaches, stays, and attaches again, until somebody closes it. Whoever asks, gets
the state as it is: nobody waits for an adapter.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from treetap.daemon import target_identity
from treetap.daemon.target_spent import Spent
from treetap.daemon.target_visit import LOOK_S, Visit, VisitHost, is_over
from treetap.errors import DapError, TreetapError
from treetap.model.probe import Target as ProbeTarget

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from treetap.daemon.roster import NodeEntry
    from treetap.daemon.target_identity import Registration
    from treetap.dap import Child
    from treetap.model.node import NodeIdentity

log = logging.getLogger(__name__)

MIN_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
#: An adapter ends a moment after its program; one that is asked just then stays for a minute.
_AFTER_END_S = 2.0
#: For how long one that doesn't answer is tried.
MAX_AWAY_S = 600.0
#: What answers there won't be an adapter by being asked again.
_HOPELESS = ("dap-not-an-adapter", "dap-language")
#: For letting one go, while somebody waits for that; a client does for 2 s.
_LEAVE_S = 1.5


class TargetState(IntEnum):
    """What a target does; the numbers are Detrix's."""

    DISCONNECTED = 1  # it was observed, and isn't any more
    CONNECTING = 2
    CONNECTED = 3
    FAILED = 4  # it never was observed, and the last attempt failed: `error` says why


class TargetHost(VisitHost, Protocol):
    """What a target needs of its owner."""

    def linked(self, identity: NodeIdentity) -> NodeEntry | None:
        """The node, if it has a link of its own."""

    def adopt(self, parent: Target, child: Child) -> Awaitable[None]:
        """A process that the target started waits for somebody to attach to it, or not to."""

    def changed(self, target: Target) -> None:
        """It is connected now, or was told to sleep."""


class Target:
    """``open`` to ``close``, any number of times.

    Attributes:
        id: ``NAME-HASH``; URL-safe.
        registration: What was said of it.
        tree: Id of the tree of its nodes; stays the same when the program is started again, so that
            a probe with ``target={"tree": …}`` is for this target, whichever process it is.
        parent: Id of the target that started it; ``""`` for a registered one.
        state: See ``TargetState``.
        error: Why the last attempt failed; ``None`` if it didn't.
        attempts: How many failed since it was connected the last time.
        created_us, connected_us: Unix time; the latter 0 if it never was.
        spent: What its probes have had of its process.
    """

    def __init__(
        self,
        host: TargetHost,
        target_id: str,
        registration: Registration,
        *,
        parent: Target | None = None,
        created_us: int = 0,
        spent: Spent | None = None,
    ) -> None:
        self.id = target_id
        self.registration = registration
        self.tree: str = parent.tree if parent is not None else target_identity.tree_of(target_id)
        self.parent = parent.id if parent is not None else ""
        self.state = TargetState.DISCONNECTED
        self.error: TreetapError | None = None
        self.attempts = 0
        self.created_us = created_us or _now_us()
        self.connected_us = 0
        self._host = host
        self._parent_node = parent.node_id if parent is not None else ""
        self._last_active_us = 0
        self._identity: NodeIdentity | None = None
        self._entry: NodeEntry | None = None
        self._visit: Visit | None = None
        self.spent = spent or Spent()
        # Set when the present state of things has to be looked at again.
        self._nudge = asyncio.Event()
        self._answered = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether it is being observed, or will be as soon as that is possible."""
        return self._task is not None and not self._task.done()

    @property
    def is_alive(self) -> bool:
        """Whether it is observed at this moment."""
        return self.state == TargetState.CONNECTED and (self._visit is None or self._visit.is_alive)

    @property
    def is_linked(self) -> bool:
        """The process has a link of its own, over which its probes are served: no adapter is used."""
        return self.state == TargetState.CONNECTED and self._visit is None

    @property
    def is_over(self) -> bool:
        """Whether nothing is being observed, and nobody can count on it to be again."""
        is_said = self.state in (TargetState.DISCONNECTED, TargetState.FAILED)
        return is_said or (not self.is_alive and self._is_process_over)

    @property
    def is_child(self) -> bool:
        return bool(self.parent)

    @property
    def node_id(self) -> str:
        """Of the process that is, or was, observed; ``""`` if there was none."""
        return self._identity.id if self._identity is not None else ""

    @property
    def node_key(self) -> int:
        """Of that process (``store.schema.node_key``); 0 if there was none."""
        return self._entry.key if self._entry is not None else 0

    @property
    def pid(self) -> int:
        return self._identity.pid if self._identity is not None else self.registration.pid

    @property
    def last_active_us(self) -> int:
        """When it was last connected to, or brought a hit; 0 if never."""
        hit_us = self._visit.last_hit_us if self._visit is not None else 0
        return max(self._last_active_us, hit_us)

    @property
    def probe_target(self) -> ProbeTarget:
        """Which nodes a probe of this target is for: its processes, one after the other.

        A program's children are of its tree, and have its probes; a child's probes are its own.
        """
        return ProbeTarget(tree=self.tree, pid=self.pid if self.is_child else 0)

    def open(self, registration: Registration | None = None) -> None:
        """Begin to observe it, or try again at once."""
        before = self.registration.address
        self.registration = registration or self.registration
        if self.is_alive:
            if self._visit is not None:
                self._visit.register(self.registration)
            return
        self._answered.clear()
        self.state = TargetState.CONNECTING
        self.error = None
        if self.is_open and self.registration.address == before:
            # An attempt that is under way goes on: who asks often would never see its end else.
            self.look()
            return
        self._let_go()
        self._task = asyncio.create_task(self._live(), name=f"target {self.id}")

    async def answered(self, timeout_s: float) -> None:
        """Until it is known whether it can be observed, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._answered.wait()

    async def close(self, timeout_s: float = _LEAVE_S) -> None:
        """Let it go: logpoints out, connection closed; the program runs on.

        Args:
            timeout_s: For waiting until that is done. It is done, in any case.
        """
        self._let_go()
        self.state = TargetState.DISCONNECTED
        self._answered.set()
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=timeout_s)

    def look(self) -> None:
        """Something may have changed: have it looked at now."""
        self._nudge.set()
        if self._visit is not None:
            self._visit.look()

    # -- its life -----------------------------------------------------------------------------

    async def _live(self) -> None:
        backoff_s = MIN_BACKOFF_S
        since_s = time.monotonic()
        while time.monotonic() - since_s < MAX_AWAY_S:
            self._nudge.clear()
            try:
                wait_s = await self._observe()
                backoff_s, since_s = MIN_BACKOFF_S, time.monotonic()
            except DapError as exc:
                self._failed(exc)
                wait_s = None if exc.slug in _HOPELESS else backoff_s
            except Exception as exc:
                log.exception("target %s", self.id)
                self._failed(TreetapError(f"Observing it failed: {exc}."))
                wait_s = backoff_s
            if self.is_child or wait_s is None:
                break
            # What set it was, as a rule, the end of our own node.
            self._nudge.clear()
            if await self._waits(wait_s):
                # Somebody says that it is there (again).
                backoff_s, since_s = MIN_BACKOFF_S, time.monotonic()
            else:
                backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)
        if self.state == TargetState.CONNECTING:
            self.state = TargetState.DISCONNECTED

    async def _observe(self) -> float | None:
        """Attach, and stay for as long as it goes; when to try again, in seconds; ``None``: never.

        Raises:
            DapError: It can't be attached to.
        """
        if self.registration.pid:
            entry = self._host.linked(self._identity_of(self.registration.pid))
            if entry is not None:
                await self._follow(entry)
                return 0
        visit = Visit(
            self._host, self.registration, self._identity_of, self.spent.rows, self._told_to_sleep
        )
        try:
            identity = await visit.attach(is_child=self.is_child, on_child=self._on_child)
            if self._host.linked(identity) is None:
                await self._use(visit, identity)
        finally:
            await visit.leave()
        # It serves its probes itself; two who do would show each hit twice.
        entry = self._host.linked(identity)
        if entry is not None:
            await self._follow(entry)
            return 0
        # One whose node another target has: there are two ways to one adapter.
        return None if visit.is_taken else _AFTER_END_S

    async def _use(self, visit: Visit, identity: NodeIdentity) -> None:
        self.spent.begin(identity.id)
        self._identity = identity
        self._visit = visit
        try:
            await visit.stay(identity, self._connected, self._disconnected)
        finally:
            self._last_active_us = self.last_active_us
            if self._visit is visit:
                self._visit = None
            self._disconnected()
        end = "it has another link" if visit.is_taken else visit.end
        log.info("target %s: %s", self.id, end or "its process has ended")

    async def _follow(self, entry: NodeEntry) -> None:
        """The node has a link of its own: stay for as long as that is so."""
        self._identity = entry.identity
        self._connected(entry)
        while self._host.linked(entry.identity) is not None:
            await self._waits(LOOK_S)
            self._nudge.clear()
        self._disconnected()

    async def _waits(self, seconds: float) -> bool:
        """Whether something may have changed before so many seconds are over."""
        try:
            async with asyncio.timeout(seconds):
                await self._nudge.wait()
        except TimeoutError:
            return False
        return True

    def _connected(self, entry: NodeEntry) -> None:
        self._entry = entry
        self.state = TargetState.CONNECTED
        self.error = None
        self.attempts = 0
        self.connected_us = self._last_active_us = _now_us()
        self._answered.set()
        self._host.changed(self)

    def _disconnected(self) -> None:
        # Unless somebody else has said already what it is now.
        if self._task is asyncio.current_task():
            is_gone = self._is_process_over
            self.state = TargetState.DISCONNECTED if is_gone else TargetState.CONNECTING

    def _failed(self, error: TreetapError) -> None:
        if self.error is None or self.error.slug != error.slug:
            log.info("target %s: %s", self.id, error.line)
        self.error = error
        self.attempts += 1
        if not self.connected_us:
            self.state = TargetState.FAILED
        elif self._is_process_over:
            self.state = TargetState.DISCONNECTED
        self._answered.set()

    def _told_to_sleep(self) -> None:
        self._let_go()
        self.state = TargetState.DISCONNECTED
        self._host.changed(self)

    def _let_go(self) -> None:
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def _on_child(self, child: Child) -> None:
        await self._host.adopt(self, child)

    def _identity_of(self, pid: int) -> NodeIdentity:
        identity = target_identity.node_identity(
            self.registration, self.id, pid, parent=self._parent_node
        )
        identity.tree = self.tree
        return identity

    @property
    def _is_process_over(self) -> bool:
        return self._identity is not None and is_over(self.registration, self._identity)


def _now_us() -> int:
    return time.time_ns() // 1000
