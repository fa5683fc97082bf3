"""The probes: what is wanted. Kept in the store, and told to whoever has to know."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from treetap.daemon.record import ProbeRecord, number_of, numbered, record_from_dict
from treetap.daemon.request import probe_asked, probe_changed
from treetap.errors import ProbeError, TreetapError
from treetap.model.probe import Probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from treetap.store import Store

#: Removed probes whose definition is still known for rows on their way.
_MAX_REMOVED = 1000


class Registry:
    """All probes, by number. One change at a time.

    Args:
        store: Has them across restarts.
        on_change: Called after each change with what happened (``added``, ``changed``,
            ``removed``, ``expired``) and the probe.
    """

    def __init__(self, store: Store, on_change: Callable[[str, ProbeRecord], None]) -> None:
        self._store = store
        self._on_change = on_change
        self._records: dict[int, ProbeRecord] = {}
        self._removed: dict[int, ProbeRecord] = {}
        self._announced_expired: set[int] = set()
        # Protects what lies between looking a name up and having saved it.
        self._lock = asyncio.Lock()
        self.revision = 0
        for number, definition, is_removed in store.probes(with_removed=True):
            try:
                record = record_from_dict(number, definition)
            except TreetapError:
                continue
            (self._removed if is_removed else self._records)[number] = record
        now_s = time.time()
        self._announced_expired |= {r.number for r in self.all() if r.is_expired(now_s)}

    def all(self) -> list[ProbeRecord]:
        """Oldest first."""
        return list(self._records.values())

    def wanted(self) -> list[Probe]:
        """What nodes shall have now."""
        now_s = time.time()
        return [record.probe for record in self.all() if record.is_wanted(now_s)]

    def get(self, reference: str) -> ProbeRecord:
        """A probe by id or name.

        Raises:
            ProbeError: There is none (slug ``probe-unknown``).
        """
        record = self._records.get(number_of(reference)) or self._named(reference)
        if record is None:
            raise ProbeError(
                f"There is no probe {reference!r}.",
                "See them with: treetap probe list.",
                slug="probe-unknown",
            )
        return record

    def record_of(self, probe_id: str) -> ProbeRecord | None:
        """By id, a removed one too."""
        number = number_of(probe_id)
        return self._records.get(number) or self._removed.get(number)

    def numbers_of(self, reference: str) -> tuple[int, ...]:
        """The probe with this id or name, and removed ones of this name: their events are kept.

        Raises:
            ProbeError: There never was one (slug ``probe-unknown``).
        """
        number = number_of(reference)
        if number in self._records or number in self._removed:
            return (number,)
        known = (*self._records.values(), *self._removed.values())
        numbers = tuple(record.number for record in known if record.probe.name == reference)
        return numbers or (self.get(reference).number,)

    def known(self) -> list[ProbeRecord]:
        """All, with the removed ones."""
        return [*self._records.values(), *self._removed.values()]

    async def add(
        self, fields: dict[str, Any], *, notes: dict[str, Any] | None = None
    ) -> ProbeRecord:
        """Raises ``ProbeError``, ``LocationError``, ``ExpressionError``."""
        async with self._lock:
            record = probe_asked(fields)
            # Checked before it takes a number.
            self._check_name(record.probe.name)
            return await self._enter(record._replace(notes=notes or {}))

    async def succeed(
        self, reference: str, fields: dict[str, Any], *, notes: dict[str, Any]
    ) -> ProbeRecord:
        """Put another probe in the place of one, which is removed; it may keep the name.

        For what ``change`` can't do: events that are kept go on to be of the old probe, with its
        expressions. Raises as ``add``.
        """
        async with self._lock:
            old = self.get(reference)
            record = probe_asked(fields)
            if record.probe.name != old.probe.name:
                self._check_name(record.probe.name)
            await self._remove(old)
            return await self._enter(record._replace(notes=notes))

    async def change(
        self, reference: str, fields: dict[str, Any], *, notes: dict[str, Any] | None = None
    ) -> ProbeRecord:
        """Raises ``ProbeError``, ``ExpressionError``."""
        async with self._lock:
            old = self.get(reference)
            record = probe_changed(old, fields)
            if notes is not None:
                record = record._replace(notes=notes)
            if record.probe.name != old.probe.name:
                self._check_name(record.probe.name)
            return await self._replace(record)

    async def set_enabled(self, reference: str, *, is_enabled: bool) -> ProbeRecord:
        """Enabling one whose time is over gives it its time to live again."""
        async with self._lock:
            record = self.get(reference)
            probe = record.probe._replace(is_enabled=is_enabled)
            now_s = time.time()
            if is_enabled and record.is_expired(now_s):
                probe = probe._replace(expires_at_s=now_s + record.ttl_s)
            return await self._replace(record._replace(probe=probe))

    async def remove(self, reference: str) -> ProbeRecord:
        async with self._lock:
            record = self.get(reference)
            await self._remove(record)
            return record

    def expire(self) -> None:
        """Tell of probes whose time is over by now; they stay, and can be enabled again."""
        now_s = time.time()
        for record in self.all():
            if record.is_expired(now_s) and record.number not in self._announced_expired:
                self._announced_expired.add(record.number)
                self._tell("expired", record)

    def next_expiry_s(self) -> float:
        """Unix time of the next expiry; infinite if there is none."""
        now_s = time.time()
        ends = [r.probe.expires_at_s for r in self.all() if r.is_wanted(now_s)]
        return min((end for end in ends if end), default=float("inf"))

    async def _enter(self, asked: ProbeRecord) -> ProbeRecord:
        number = await asyncio.wrap_future(
            self._store.add_probe(
                asked.probe.name, lambda number: numbered(asked, number).to_dict()
            )
        )
        record = self._records[number] = numbered(asked, number)
        self._tell("added", record)
        return record

    async def _remove(self, record: ProbeRecord) -> None:
        await self._save(record, is_removed=True)
        del self._records[record.number]
        self._removed[record.number] = record
        while len(self._removed) > _MAX_REMOVED:
            del self._removed[next(iter(self._removed))]
        self._tell("removed", record)

    async def _replace(self, record: ProbeRecord) -> ProbeRecord:
        if record != self._records[record.number]:
            await self._save(record)
            self._records[record.number] = record
            if not record.is_expired(time.time()):
                self._announced_expired.discard(record.number)
            self._tell("changed", record)
        return record

    async def _save(self, record: ProbeRecord, *, is_removed: bool = False) -> None:
        await asyncio.wrap_future(
            self._store.save_probe(
                record.number,
                name=record.probe.name,
                definition=record.to_dict(),
                is_removed=is_removed,
            )
        )

    def _named(self, name: str) -> ProbeRecord | None:
        return next((r for r in self._records.values() if name and r.probe.name == name), None)

    def _check_name(self, name: str) -> None:
        # A name that reads as an id could hide another probe, now or later.
        if number_of(name):
            raise ProbeError(
                f"{name!r} is a probe's id and can't be its name.",
                "Take a name that isn't p and a number.",
                slug="probe-invalid",
            )
        taken = self._named(name)
        if taken is not None:
            raise ProbeError(
                f"There is a probe {name!r} already: {taken.probe.id}.",
                f"Take another name, or remove that one: treetap probe remove {taken.probe.id}.",
                slug="probe-exists",
            )

    def _tell(self, change: str, record: ProbeRecord) -> None:
        self.revision += 1
        self._on_change(change, record)
