"""One session with one process, from the attaching to the end."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from treetap.daemon.target_identity import local_start_ns
from treetap.daemon.target_link import Receiver, TargetLink
from treetap.errors import DapError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from treetap.daemon.roster import NodeEntry
    from treetap.daemon.target_identity import Registration
    from treetap.dap import Child, Session
    from treetap.model.node import NodeIdentity
    from treetap.model.probe import Probe

log = logging.getLogger(__name__)

#: For attaching. An adapter that waits for its program answers late.
_ATTACH_S = 20.0
#: How often it is looked whether the process is still there.
LOOK_S = 1.0
#: From the end of the adapter's connection to that of the process.
_ENDING_S = 2.0
_ENDING_LOOKS = 100
#: For taking the logpoints out; more than the session allows itself, when the adapter is stuck.
_CLOSE_S = 8.0


class VisitHost(Receiver, Protocol):
    """What a visit needs, beside the daemon's part."""

    async def attach(self, registration: Registration, **options: Any) -> Session:
        """As ``dap.attach``; of a child, if ``child`` is true."""


class Visit:
    """Made for one attempt; ``attach``, ``stay`` if that may be, ``leave`` in any case.

    Args:
        host: Of the target.
        registration: Of the target.
        identity_of: Makes the node of a pid; of 0 if that isn't known.
        spent: See ``TargetLink``.
        on_sleep: Called when the node shall sleep.

    Attributes:
        session: What is attached.
        end: Why it is over, in the adapter's words; ``""`` as long as it isn't.
        is_taken: The node has another link now.
        last_hit_us: Unix time; 0 if there was none.
    """

    def __init__(
        self,
        host: VisitHost,
        registration: Registration,
        identity_of: Callable[[int], NodeIdentity],
        spent: dict[str, tuple[Probe, int]],
        on_sleep: Callable[[], None],
    ) -> None:
        self.session: Session | None = None
        self.end = ""
        self.is_taken = False
        self._host = host
        self._registration = registration
        self._identity_of = identity_of
        self._may_be_spent = bool(spent)
        self._link = TargetLink(host, registration, spent, on_sleep=on_sleep, on_taken=self._taken)
        self._nudge = asyncio.Event()
        self._identity: NodeIdentity | None = None

    @property
    def is_alive(self) -> bool:
        return self.session is not None and self.session.is_alive and not self.is_taken

    @property
    def last_hit_us(self) -> int:
        return self._link.last_hit_ns // 1000

    def register(self, registration: Registration) -> None:
        """The target is registered anew, at the same address."""
        self._registration = registration
        self._link.register(registration)

    async def attach(
        self, *, is_child: bool, on_child: Callable[[Child], Awaitable[None]]
    ) -> NodeIdentity:
        """The node behind the adapter.

        Raises:
            DapError: It can't be attached to.
        """
        self.session = await self._host.attach(
            self._registration,
            child=is_child,
            on_hit=self._link.hit,
            on_fault=self._link.fault,
            on_placed=self._link.placed,
            on_child=on_child,
            on_end=self._ended,
            configure=self._configure,
            timeout_s=_ATTACH_S,
        )
        return self._identity_behind(self.session)

    async def stay(
        self,
        identity: NodeIdentity,
        on_connected: Callable[[NodeEntry], None],
        on_broken: Callable[[], None],
    ) -> None:
        """Be its node's link, until one of the three is over: the session, the process, our turn.

        Args:
            identity: What ``attach`` gave.
            on_connected: Called when its probes are armed.
            on_broken: Called when it is over, before it is known why.

        Raises:
            DapError: The adapter is gone before they are.
        """
        assert self.session is not None
        entry = await self._welcomed(identity)
        reason = "lost"
        try:
            await self._link.open(self.session, entry)
            on_connected(entry)
            while self.is_alive and not self.end and not is_over(self._registration, identity):
                await self._pause(LOOK_S)
            on_broken()
            if not self.is_taken and await self._has_ended(identity):
                reason = "exit"
        except asyncio.CancelledError:
            reason = "sleep"
            # What the program has taken so far comes with it.
            await self.leave()
            raise
        finally:
            # Nothing here waits: it has to be done, even if somebody has lost patience.
            self._link.stop()
            if not self.is_taken:
                self._host.lost(entry, self._link, reason)

    async def leave(self) -> None:
        """Logpoints out, connection closed; the program runs on."""
        session, self.session = self.session, None
        if session is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await session.close()

    def look(self) -> None:
        """Something may have changed."""
        self._nudge.set()

    # -- inside -------------------------------------------------------------------------------

    async def _configure(self, session: Session) -> None:
        # Its pid may not be known yet; probes that are for this pid alone come a moment later, and
        # all of them, if some may have had their hits.
        pid = session.pid or self._registration.pid
        if pid or not self._may_be_spent:
            with suppress(DapError):
                await self._link.configure(session, self._identity_behind(session))

    def _identity_behind(self, session: Session) -> NodeIdentity:
        """Asked of the system once, while the process lives: a child may do so for a moment only."""
        pid = session.pid or self._registration.pid
        if self._identity is None or self._identity.pid != pid:
            self._identity = self._identity_of(pid)
        return self._identity

    async def _welcomed(self, identity: NodeIdentity) -> NodeEntry:
        welcoming = asyncio.ensure_future(self._host.welcome(self._link, identity))
        try:
            return await asyncio.shield(welcoming)
        except asyncio.CancelledError:
            # A node that was let in has to be let out.
            self._host.lost(await welcoming, self._link, "sleep")
            raise

    async def _has_ended(self, identity: NodeIdentity) -> bool:
        """Whether the process has ended: its adapter knows a moment before the system does."""
        for _ in range(_ENDING_LOOKS if identity.boot_id else 0):
            if is_over(self._registration, identity):
                return True
            await asyncio.sleep(_ENDING_S / _ENDING_LOOKS)
        return False

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._nudge.wait()
        self._nudge.clear()

    def _ended(self, reason: str) -> None:
        self.end = reason or "the adapter is gone"
        self._nudge.set()

    def _taken(self) -> None:
        self.is_taken = True
        self._nudge.set()


def is_over(registration: Registration, identity: NodeIdentity) -> bool:
    """Of a process of this machine whose pid is known: whether it has ended."""
    if not identity.boot_id:
        return False
    return local_start_ns(registration, identity.pid) != identity.start_ns
