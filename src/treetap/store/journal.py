"""The journal: what happened to probes, nodes and the daemon itself, for who asks later.

It is small beside the events: a row when something changes, none for a hit.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec.json
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from treetap.errors import StoreError
from treetap.store import schema

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from sqlalchemy import Connection, Engine

    from treetap.store.writer import Writer

#: What is kept: a week, and so many of the newest.
MAX_AGE_S = 7 * 24 * 3600.0
MAX_ENTRIES = 100_000
MAX_PAGE_ENTRIES = 1000


class JournalEntry(NamedTuple):
    """Attributes:
    kind: What happened, as ``probe-added`` or ``node-lost``.
    time_ns: When, in nanoseconds since the epoch.
    node: Key of the node that it is about; 0 for none.
    probe: Number of the probe that it is about; 0 for none.
    actor: Who did it, where that is known.
    details: Whatever else there is to say; plain data.
    id: Given by the database; 0 before.
    is_acknowledged: Whether somebody has said that he knows.
    """

    kind: str
    time_ns: int
    node: int = 0
    probe: int = 0
    actor: str = ""
    details: dict[str, Any] = {}  # noqa: RUF012 - a default that nobody writes to
    id: int = 0
    is_acknowledged: bool = False


class JournalFilter(NamedTuple):
    """Which entries; what is left out matches all. Everything that is given has to match.

    Attributes:
        since_ns: First moment, in nanoseconds since the epoch.
        kinds: Kinds; an empty tuple is all of them.
        node: Key of a node.
        is_open: Those only that nobody has acknowledged.
    """

    since_ns: int = 0
    kinds: tuple[str, ...] = ()
    node: int | None = None
    is_open: bool = False


EVERY_ENTRY = JournalFilter()


class JournalTable:
    """The table, as an object: entries in and out.

    Args:
        engine: To read with.
        writer: The store's one writer.
    """

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer

    def write(self, entry: JournalEntry) -> Future[None]:
        """Queue an entry; never waits."""
        fields = {
            "kind": entry.kind,
            "time_ns": entry.time_ns,
            "node": entry.node,
            "probe": entry.probe,
            "actor": entry.actor[:255],
            "details": msgspec.json.encode(entry.details).decode(),
            "is_acknowledged": entry.is_acknowledged,
        }

        def insert_it(connection: Connection) -> None:
            connection.execute(insert(schema.journal).values(**fields))

        return self._writer.call(insert_it)

    def entries(
        self, wanted: JournalFilter = EVERY_ENTRY, *, limit: int = 100
    ) -> list[JournalEntry]:
        """The newest that match, newest first. Waits for the database.

        Raises:
            StoreError: It can't be read (slug ``store-unusable``).
        """
        table = schema.journal
        query = select(table).order_by(table.c.id.desc()).limit(min(limit, MAX_PAGE_ENTRIES))
        if wanted.since_ns:
            query = query.where(table.c.time_ns >= wanted.since_ns)
        if wanted.kinds:
            query = query.where(table.c.kind.in_(wanted.kinds))
        if wanted.node is not None:
            query = query.where(table.c.node == wanted.node)
        if wanted.is_open:
            query = query.where(~table.c.is_acknowledged)
        try:
            with self._engine.connect() as connection:
                return [_entry(dict(row)) for row in connection.execute(query).mappings()]
        except SQLAlchemyError as exc:
            raise StoreError(
                "The journal can't be read.",
                str(getattr(exc, "orig", None) or exc),
                slug="store-unusable",
            ) from exc

    def acknowledge(self, ids: Sequence[int]) -> Future[int]:
        """Note that somebody knows of these; how many there are of them."""
        table = schema.journal

        def mark(connection: Connection) -> int:
            return connection.execute(
                update(table).where(table.c.id.in_(ids)).values(is_acknowledged=True)
            ).rowcount

        return self._writer.call(mark)


def sweep_journal(connection: Connection) -> None:
    """Delete what is too old, or too much."""
    table = schema.journal
    connection.execute(delete(table).where(table.c.time_ns < time.time_ns() - int(MAX_AGE_S * 1e9)))
    newest = connection.execute(select(func.max(table.c.id))).scalar()
    if newest is not None:
        connection.execute(delete(table).where(table.c.id <= newest - MAX_ENTRIES))


def _entry(row: dict[str, Any]) -> JournalEntry:
    return JournalEntry(**{**row, "details": msgspec.json.decode(row["details"])})
