"""What the roster holds of a target's node: messages for a node, made into logpoints; and back.

To the rest of the daemon it is a link like any other: it takes ``probes`` and ``sleep``, and brings
batches and statuses (``wire.message``).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol

from treetap.daemon.target_probe import TargetProbe
from treetap.errors import DapError, LinkError
from treetap.wire.message import probe_from_dict, status_to_wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from treetap.daemon.roster import Link, NodeEntry
    from treetap.daemon.target_identity import Registration
    from treetap.dap import Fault, Hit, Placed, Session
    from treetap.model.node import NodeIdentity
    from treetap.model.probe import Probe

log = logging.getLogger(__name__)

#: Hits are gathered for so long, in seconds.
_GATHER_S = 0.01
#: How often the adapter is asked for the counts, and places that weren't there are looked for.
_TEND_S = 1.0


class Receiver(Protocol):
    """What a target needs of the daemon."""

    async def welcome(self, session: Link, identity: NodeIdentity) -> NodeEntry:
        """Its node is here."""

    def probes_for(self, identity: NodeIdentity) -> tuple[int, list[dict[str, Any]]]:
        """Revision, and the node's probes as the wire wants them."""

    def receive(self, entry: NodeEntry, message: Any, size_bytes: int) -> None:
        """A batch or a status; raises ``LinkError`` if it is malformed."""

    def lost(self, entry: NodeEntry, session: Link, reason: str) -> None:
        """Its node is gone."""


class TargetLink:
    """Of one session with one process; ``open`` to ``stop``.

    Args:
        host: The daemon.
        registration: Of the target.
        spent: How many rows each probe has had of this process, in sessions before this one.
        on_sleep: Called when the node shall sleep.
        on_taken: Called when the process has a link of its own now.
    """

    def __init__(
        self,
        host: Receiver,
        registration: Registration,
        spent: dict[str, tuple[Probe, int]],
        *,
        on_sleep: Callable[[], None],
        on_taken: Callable[[], None],
    ) -> None:
        self._host = host
        self._registration = registration
        self._spent = spent
        self._on_sleep = on_sleep
        self._on_taken = on_taken
        self._session: Session | None = None
        self._entry: NodeEntry | None = None
        self._probes: dict[str, TargetProbe] = {}
        # Not wanted any more, but what they saw until then may still come.
        self._parting: dict[str, TargetProbe] = {}
        self._revision = 0
        # What the adapter has of each file; sent again only where it differs.
        self._sent: dict[str, list[Any]] = {}
        self._is_changed = asyncio.Event()
        self._tending: asyncio.Task[None] | None = None
        self._flushing: asyncio.TimerHandle | None = None
        self.last_hit_ns = 0

    # -- the roster calls these ---------------------------------------------------------------

    def send(self, message: Any) -> None:
        match message:
            case {"type": "probes", "revision": int(revision), "probes": list(probes)}:
                self._want(revision, probes)
            case {"type": "sleep"}:
                self._on_sleep()

    def close(self) -> None:
        self._on_taken()

    # -- the session calls these --------------------------------------------------------------

    def hit(self, hit: Hit) -> None:
        probe = self._probes.get(hit.id) or self._parting.get(hit.id)
        if probe is None:
            return
        self.last_hit_ns = hit.time_ns
        if probe.hit(hit):
            self._is_changed.set()
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(_GATHER_S, self._flush)

    def fault(self, fault: Fault) -> None:
        probe = self._probes.get(fault.id)
        if probe is not None:
            probe.fault(fault)
            self._is_changed.set()
        else:
            log.info("target %s: %s", self._registration.name, fault.text)

    def placed(self, _file: str, placed: Placed) -> None:
        probe = self._probes.get(placed.id)
        if probe is not None:
            probe.placed(placed)
            self._is_changed.set()

    # -- the target calls these ---------------------------------------------------------------

    async def configure(self, session: Session, identity: NodeIdentity) -> None:
        """Set the first logpoints, before a program that waits for them runs on."""
        self._session = session
        self._want(*self._host.probes_for(identity))
        await self._try_to_apply()

    async def open(self, session: Session, entry: NodeEntry) -> None:
        """Its node is known: from here on rows and statuses are the entry's."""
        self._session = session
        self._entry = entry
        self._want(*self._host.probes_for(entry.identity))
        await self._try_to_apply()
        self._report()
        self._flush()
        self._tending = asyncio.create_task(self._tend())

    def register(self, registration: Registration) -> None:
        """The target is registered anew: whether snapshots are refused may be another now."""
        before, self._registration = self._registration, registration
        if before.is_safe_mode == registration.is_safe_mode or self._entry is None:
            return
        self._flush()
        self._probes = {k: v for k, v in self._probes.items() if not v.probe.snapshot}
        self._want(*self._host.probes_for(self._entry.identity))

    def stop(self) -> None:
        """The session is over, or will be: bring what is left."""
        if self._tending is not None:
            self._tending.cancel()
        if self._flushing is not None:
            self._flushing.cancel()
        self._flush()
        # What comes after this would be taken for the rows of the node's next link.
        self._entry = None
        for probe in self._probes.values():
            self._spent[probe.probe.id] = (probe.probe, probe.recorded)

    # -- inside -------------------------------------------------------------------------------

    def _want(self, revision: int, probes: list[dict[str, Any]]) -> None:
        self._revision = revision
        wanted: dict[str, TargetProbe] = {}
        for fields in probes:
            probe = probe_from_dict(fields)
            known = self._probes.get(probe.id)
            if known is None or known.probe != probe:
                before, count = self._spent.get(probe.id, (None, 0))
                known = TargetProbe(probe, self._registration, count if before == probe else 0)
            wanted[probe.id] = known
        self._flush()
        gone = self._probes.keys() - wanted.keys()
        self._parting |= {probe_id: self._probes[probe_id] for probe_id in gone}
        self._probes = wanted
        self._is_changed.set()

    async def _tend(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_TEND_S):
                    await self._is_changed.wait()
            except TimeoutError:
                pass
            try:
                is_applied = await self._try_to_apply()
                self._report()
                if is_applied:
                    await self._count()
                    self._report()
                else:
                    await asyncio.sleep(_TEND_S)
                    self._is_changed.set()
            except DapError as exc:
                log.info("target %s: %s", self._registration.name, exc.line)
            except Exception:
                log.exception("tending target %s failed", self._registration.name)
                await asyncio.sleep(_TEND_S)

    async def _try_to_apply(self) -> bool:
        """Whether it could be done. That a session is over it says by itself."""
        try:
            await self._apply()
        except DapError as exc:
            log.info("target %s: %s", self._registration.name, exc.line)
            return False
        return True

    async def _apply(self) -> None:
        """Make the logpoints those of the wanted probes; all that can be.

        Raises:
            DapError: A file's can't; its probes have failed by that.
        """
        assert self._session is not None
        self._is_changed.clear()
        parted = list(self._parting)
        wanted: dict[str, list[Any]] = {file: [] for file in self._sent}
        for probe in list(self._probes.values()):
            await probe.find(self._session)
            if probe.place is not None and probe.is_live:
                wanted.setdefault(probe.place.file, []).append(probe.logpoint())
        error: DapError | None = None
        for file, points in wanted.items():
            if self._sent.get(file, []) != points:
                try:
                    await self._set(file, points)
                except DapError as exc:
                    error = exc
        self._flush()
        if error is not None:
            raise error
        for probe_id in parted:
            self._parting.pop(probe_id, None)

    async def _set(self, file: str, points: list[Any]) -> None:
        assert self._session is not None
        # Unknown, should the request fail half way.
        self._sent[file] = [None]
        try:
            placed = await self._session.set_logpoints(file, points)
        except DapError as exc:
            for point in points:
                if point.id in self._probes:
                    self._probes[point.id].fail(exc)
            raise
        if points:
            self._sent[file] = points
        else:
            del self._sent[file]
        for each in placed:
            if each.id in self._probes:
                self._probes[each.id].placed(each)

    async def _count(self) -> None:
        assert self._session is not None
        if not self._sent:
            return
        counts = await self._session.counts()
        for probe_id, found in counts.items():
            if probe_id in self._probes:
                self._probes[probe_id].counted(found)

    def _flush(self) -> None:
        self._flushing = None
        if self._entry is None:
            return
        for probe in (*self._probes.values(), *self._parting.values()):
            for content, size_bytes in probe.rows.take():
                try:
                    self._host.receive(self._entry, content, size_bytes)
                except LinkError as exc:
                    log.warning("a hit of %s can't be kept: %s", probe.probe.id, exc.line)

    def _report(self) -> None:
        if self._entry is None:
            return
        # One that isn't wanted any more, and isn't out of the program yet, is not gone: whoever
        # disabled it is told that it is out when it can't hit any more.
        probes = {**self._parting, **self._probes}
        statuses = [probe.status() for probe in probes.values()]
        self._host.receive(self._entry, status_to_wire(self._revision, statuses), 0)
