"""A target: a process that is observed through its debug adapter.

One task a target attaches, stays, and attaches again, until somebody closes it. Whoever asks, gets
the state as it is: nobody waits for an adapter.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from treetap.daemon import target_identity
from treetap.daemon.target_link import Receiver, TargetLink
from treetap.errors import DapError, TreetapError
from treetap.model.probe import Target as ProbeTarget

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from treetap.daemon.roster import NodeEntry
    from treetap.daemon.target_identity import Registration
    from treetap.dap import Child, Session
    from treetap.model.node import NodeIdentity
    from treetap.model.probe import Probe

log = logging.getLogger(__name__)

MIN_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
#: For how long one that never answered is tried, and one that did.
MAX_FIRST_S = 60.0
MAX_AWAY_S = 600.0
#: Of one attempt.
_ATTACH_S = 20.0
#: How often it is looked whether the process is still there.
_LOOK_S = 1.0
#: From the end of the adapter's connection to that of the process.
_ENDING_S = 0.5
#: For taking the logpoints out; more than the session allows itself, when the adapter is stuck.
_CLOSE_S = 8.0


class TargetState(IntEnum):
    """What a target does; the numbers are Detrix's."""

    DISCONNECTED = 1  # it was observed, and isn't any more
    CONNECTING = 2
    CONNECTED = 3
    FAILED = 4  # it never was observed, and the last attempt failed: `error` says why


class TargetHost(Receiver, Protocol):
    """What a target needs of its owner, beside the daemon's part."""

    async def attach(self, registration: Registration, **options: Any) -> Session:
        """As ``dap.attach``."""

    def linked(self, identity: NodeIdentity) -> NodeEntry | None:
        """The node, if it has a link of its own."""

    def adopt(self, parent: Target, child: Child) -> Awaitable[None]:
        """A process that the target started waits for somebody to attach to it, or not to."""

    def changed(self, target: Target) -> None:
        """It is connected now, or was told to sleep."""


class Target:
    """One process behind one adapter, or that same program's next process.

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
    """

    def __init__(
        self,
        host: TargetHost,
        target_id: str,
        registration: Registration,
        *,
        parent: Target | None = None,
        created_us: int = 0,
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
        self._link: TargetLink | None = None
        self._session: Session | None = None
        self._spent: dict[str, tuple[Probe, int]] = {}
        # Set when the present state of things has to be looked at again.
        self._nudge = asyncio.Event()
        self._answered = asyncio.Event()
        self._is_taken = False
        self._end = ""
        self._task: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is being observed, or will be as soon as that is possible."""
        return self._task is not None and not self._task.done()

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
    def is_linked(self) -> bool:
        """The process has a link of its own, over which its probes are served: no adapter is used."""
        return self.state == TargetState.CONNECTED and self._session is None

    @property
    def last_active_us(self) -> int:
        """When it was last connected to, or brought a hit; 0 if never."""
        link = self._link
        hit_us = link.last_hit_ns // 1000 if link is not None else 0
        return max(self._last_active_us, hit_us)

    @property
    def probe_target(self) -> ProbeTarget:
        """Which nodes a probe of this target is for: its processes, one after the other.

        A program's children are of its tree, and have its probes; a child's probes are its own.
        """
        return ProbeTarget(tree=self.tree, pid=self.pid if self.is_child else 0)

    @property
    def is_alive(self) -> bool:
        """Whether it is observed at this moment."""
        is_session_alive = self._session is None or self._session.is_alive
        return self.state == TargetState.CONNECTED and is_session_alive

    @property
    def is_over(self) -> bool:
        """Whether nothing is being observed, and nobody can count on it to be again."""
        is_over = self.state in (TargetState.DISCONNECTED, TargetState.FAILED)
        return is_over or (not self.is_alive and self._is_process_over)

    def open(self, registration: Registration | None = None) -> None:
        """Begin to observe it, or try again at once."""
        if registration is not None:
            self.registration = registration
        if self.is_alive:
            return
        if self._task is not None:
            self._task.cancel()
        self._answered.clear()
        self.state = TargetState.CONNECTING
        self.error = None
        self._task = asyncio.create_task(self._live(), name=f"target {self.id}")

    async def answered(self, timeout_s: float) -> None:
        """Until it is known whether it can be observed, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._answered.wait()

    async def close(self) -> None:
        """Let it go: logpoints out, connection closed; the program runs on."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self.state = TargetState.DISCONNECTED
        self._answered.set()

    def look(self) -> None:
        """Something may have changed: have it looked at now."""
        self._nudge.set()

    # -- its life -----------------------------------------------------------------------------

    async def _live(self) -> None:
        backoff_s = MIN_BACKOFF_S
        since_s = time.monotonic()
        while True:
            self._nudge.clear()
            self._is_taken = False
            try:
                await self._observe()
                backoff_s, since_s = MIN_BACKOFF_S, time.monotonic()
            except DapError as exc:
                self._failed(exc)
            except Exception as exc:
                log.exception("target %s", self.id)
                self._failed(TreetapError(f"Observing it failed: {exc}."))
            limit_s = MAX_AWAY_S if self.connected_us else MAX_FIRST_S
            if self.is_child or self._is_taken or time.monotonic() - since_s > limit_s:
                break
            if await self._waits(backoff_s):
                # Somebody says that it is there (again).
                backoff_s, since_s = MIN_BACKOFF_S, time.monotonic()
            else:
                backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)
        if self.state == TargetState.CONNECTING:
            self.state = TargetState.DISCONNECTED

    async def _waits(self, seconds: float) -> bool:
        """Whether something may have changed before so many seconds are over."""
        try:
            async with asyncio.timeout(seconds):
                await self._nudge.wait()
        except TimeoutError:
            return False
        return True

    def _failed(self, error: TreetapError) -> None:
        self.error = error
        self.attempts += 1
        if not self.connected_us:
            self.state = TargetState.FAILED
        elif self._is_process_over:
            self.state = TargetState.DISCONNECTED
        self._answered.set()

    async def _observe(self) -> None:
        """Attach, and stay for as long as it goes.

        Raises:
            DapError: It can't be attached to.
        """
        if self.registration.pid:
            entry = self._host.linked(self._identity_of(self.registration.pid))
            if entry is not None:
                await self._follow(entry)
                return
        self._end = ""
        link = TargetLink(
            self._host,
            self.registration,
            self._spent,
            on_sleep=self._told_to_sleep,
            on_taken=self._taken,
        )
        session = await self._attach(link)
        try:
            self._session = session
            await self._use(session, link)
        finally:
            self._session = None
            await _within(_CLOSE_S, session.close())

    async def _attach(self, link: TargetLink) -> Session:
        async def configure(session: Session) -> None:
            # Its pid may not be known yet; probes that are for this pid alone come a moment later,
            # and all of them, if some may be spent.
            pid = session.pid or self.registration.pid
            if pid or not self._spent:
                with suppress(DapError):
                    await link.configure(session, self._identity_of(pid))

        return await self._host.attach(
            self.registration,
            child=self.is_child,
            on_hit=link.hit,
            on_fault=link.fault,
            on_placed=link.placed,
            on_child=self._on_child,
            on_end=self._ended,
            configure=configure,
            timeout_s=_ATTACH_S,
        )

    async def _use(self, session: Session, link: TargetLink) -> None:
        identity = self._identity_of(session.pid)
        entry = self._host.linked(identity)
        if entry is None:
            if self._identity is None or self._identity.id != identity.id:
                self._spent.clear()
            self._identity = identity
            await self._stay(session, link, await self._welcomed(link, identity))
            entry = self._host.linked(identity)
        if entry is not None:
            # It serves its probes itself; two who do would show each hit twice.
            self._session = None
            self._is_taken = False
            await _within(_CLOSE_S, session.close())
            await self._follow(entry)

    async def _welcomed(self, link: TargetLink, identity: NodeIdentity) -> NodeEntry:
        welcoming = asyncio.ensure_future(self._host.welcome(link, identity))
        try:
            return await asyncio.shield(welcoming)
        except asyncio.CancelledError:
            # A node that was let in has to be let out.
            self._host.lost(await welcoming, link, "sleep")
            raise

    async def _stay(self, session: Session, link: TargetLink, entry: NodeEntry) -> None:
        """With an adapter, for as long as both are there."""
        reason = "lost"
        try:
            await link.open(session, entry)
            self._entry, self._link = entry, link
            self._connected()
            while session.is_alive and not (self._end or self._is_taken or self._is_process_over):
                await self._waits(_LOOK_S)
                self._nudge.clear()
            if not self._is_taken and await self._has_ended():
                reason = "exit"
        except asyncio.CancelledError:
            reason = "sleep"
            raise
        finally:
            # Nothing here waits: it has to be done, even if somebody has lost patience.
            self._last_active_us = self.last_active_us
            self._link = None
            link.stop()
            if not self._is_taken:
                self._host.lost(entry, link, reason)
            self._disconnected()
        log.info("target %s: %s", self.id, self._end or reason)

    async def _has_ended(self) -> bool:
        """Whether the process has ended: its adapter knows a moment before the system does."""
        self._disconnected()
        for _ in range(10):
            if self._is_process_over:
                return True
            await asyncio.sleep(_ENDING_S / 10)
        return False

    async def _follow(self, entry: NodeEntry) -> None:
        """The node has a link of its own: stay for as long as that is so."""
        self._identity, self._entry = entry.identity, entry
        self._connected()
        while self._host.linked(entry.identity) is not None:
            await self._waits(_LOOK_S)
            self._nudge.clear()
        self._disconnected()

    def _connected(self) -> None:
        self.state = TargetState.CONNECTED
        self.error = None
        self.attempts = 0
        self.connected_us = self._last_active_us = _now_us()
        self._answered.set()
        self._host.changed(self)

    def _disconnected(self) -> None:
        # Unless somebody else has said already what it is now.
        if self._task is asyncio.current_task():
            gone = self._is_process_over
            self.state = TargetState.DISCONNECTED if gone else TargetState.CONNECTING

    def _ended(self, reason: str) -> None:
        self._end = reason or "the adapter is gone"
        self._nudge.set()

    def _told_to_sleep(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        self.state = TargetState.DISCONNECTED
        self._host.changed(self)

    def _taken(self) -> None:
        self._is_taken = True
        self._nudge.set()

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
        """Of a process of this machine whose pid is known: whether it has ended."""
        identity = self._identity
        if identity is None or not identity.boot_id:
            return False
        return target_identity.local_start_ns(self.registration, identity.pid) != identity.start_ns


async def _within(seconds: float, done: Awaitable[None]) -> None:
    """Wait for it, but not for ever; also while we are being cancelled."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await done


def _now_us() -> int:
    return time.time_ns() // 1000
