"""The daemon's store: one object that owns the database, its writer and its ids."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec.json
from sqlalchemy import insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from treetap.errors import StoreError
from treetap.store import database, query, schema
from treetap.store.event import EventBatch, EventFilter, EventPage, LossRow
from treetap.store.journal import JournalTable
from treetap.store.retention import DEFAULT_RETENTION, Retention, Sweep
from treetap.store.total import event_total
from treetap.store.writer import MAX_QUEUED_ROWS, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from sqlalchemy import Connection, Engine

    from treetap.model.node import NodeIdentity

T = TypeVar("T")

#: Ids taken from the database at once. More are asked for when half of them are used, which is
#: more than the queue holds: they never run out, and nothing waits for them.
_ID_BLOCK = 8 * MAX_QUEUED_ROWS


class Store:
    """Opens the database; owns it until ``close``.

    ``submit``, ``submit_loss`` and ``new_ids`` belong to one thread, that of the daemon's loop.
    Reading methods may be called in any thread, and wait for the database.

    Args:
        url: See ``database.open_database``, which says what is raised.
        retention: How long and how much is kept.
        on_loss: Called in the writer's thread with batches that could not be written.
    """

    def __init__(
        self,
        url: str,
        *,
        retention: Retention = DEFAULT_RETENTION,
        on_loss: Callable[[Sequence[EventBatch], str], None] = lambda batches, reason: None,
    ) -> None:
        self._engine: Engine = database.open_database(url)
        self._retention = retention
        self._sweep: Sweep | None = None
        with self._engine.begin() as connection:
            self._next_id = _take_numbers(connection, "event", _ID_BLOCK)
        self._ids_until = self._next_id + _ID_BLOCK
        self._more_ids: Future[int] | None = None
        self._writer = Writer(self._engine, on_loss)
        #: What happened beside the hits.
        self.journal = JournalTable(self._engine, self._writer)

    # -- writing ------------------------------------------------------------------------------

    def new_ids(self, count: int) -> int | None:
        """The first of ``count`` consecutive ids; ``None`` if they have run out for a moment."""
        if self._ids_until - self._next_id < _ID_BLOCK // 2 + count:
            self._ask_for_ids()
        if self._next_id + count > self._ids_until:
            return None
        first = self._next_id
        self._next_id += count
        return first

    def submit(self, batch: EventBatch) -> bool:
        """Give a batch to the writer; ``False`` if its queue is full. Never waits."""
        return self._writer.submit(batch)

    def submit_loss(self, loss: LossRow) -> None:
        self._writer.submit_loss(loss)

    def save_node(self, identity: NodeIdentity, *, connected_at_s: float) -> Future[None]:
        """Insert the node, or note that it is seen again."""
        key = schema.node_key(identity)
        fields = {
            "node_id": identity.id,
            "host": identity.host,
            "boot_id": identity.boot_id,
            "pid": identity.pid,
            "name": identity.name,
            "tree": identity.tree,
            "identity": msgspec.json.encode(identity.to_dict()).decode(),
            "connected_at_s": int(connected_at_s),
            "last_seen_at_s": int(time.time()),
        }

        def write(connection: Connection) -> None:
            _save(connection, schema.node, "key", key, fields)

        return self._writer.call(write)

    def add_probe(self, name: str, define: Callable[[int], dict[str, Any]]) -> Future[int]:
        """Keep a new probe; the number that it got.

        Args:
            name: Of the probe, or ``""``.
            define: Its definition, given its number. Called in the writer's thread.
        """

        def write(connection: Connection) -> int:
            number = _take_numbers(connection, "probe", 1)
            definition = msgspec.json.encode(define(number)).decode()
            fields = {"name": name, "definition": definition, "is_removed": False}
            connection.execute(insert(schema.probe).values(number=number, **fields))
            return number

        return self._writer.call(write)

    def save_probe(
        self, number: int, *, name: str, definition: dict[str, Any], is_removed: bool = False
    ) -> Future[None]:
        fields = {
            "name": name,
            "definition": msgspec.json.encode(definition).decode(),
            "is_removed": is_removed,
        }

        def write(connection: Connection) -> None:
            _save(connection, schema.probe, "number", number, fields)

        return self._writer.call(write)

    def keep(self, retention: Retention) -> None:
        """From the next sweep on, keep so much."""
        self._retention, self._sweep = retention, None

    def sweep(self) -> Future[bool]:
        """Delete a little of what is too old or too much; whether there is more to do."""
        if self._sweep is None:
            self._sweep = Sweep(self._retention)
        return self._writer.call(self._sweep.step)

    # -- reading ------------------------------------------------------------------------------

    def events(
        self,
        wanted: EventFilter,
        *,
        limit: int = 100,
        cursor: int | None = None,
        is_ascending: bool = False,
        skip: int = 0,
    ) -> EventPage:
        """See ``query.events_page``."""
        return self._read(
            lambda connection: query.events_page(
                connection,
                wanted,
                limit=limit,
                cursor=cursor,
                is_ascending=is_ascending,
                skip=skip,
            )
        )

    def count(self, wanted: EventFilter) -> int:
        """How many events a filter matches."""
        return self._read(lambda connection: query.event_count(connection, wanted))

    def last_hits_ns(self, probes: Sequence[int]) -> dict[int, int]:
        """The time of the newest hit of each probe that has one, by its number."""
        return self._read(lambda connection: query.last_hits_ns(connection, probes))

    def probes(self, *, with_removed: bool = False) -> list[tuple[int, dict[str, Any], bool]]:
        """Number, definition, and whether it is removed, of each probe, oldest first."""
        table = schema.probe
        wanted = select(table).order_by(table.c.number)
        if not with_removed:
            wanted = wanted.where(~table.c.is_removed)
        return self._read(
            lambda connection: [
                (row.number, msgspec.json.decode(row.definition), row.is_removed)
                for row in connection.execute(wanted)
            ]
        )

    def progress(self, node: int) -> dict[int, int]:
        """The next expected row number of each probe in a node."""
        table = schema.progress
        wanted = select(table.c.probe, table.c.next_number).where(table.c.node == node)
        return self._read(
            lambda connection: {row.probe: row.next_number for row in connection.execute(wanted)}
        )

    def numbers(self) -> dict[str, Any]:
        """Sizes and counts, for the daemon's status."""
        size, count = self._read(
            lambda connection: (database.size_bytes(connection), event_total(connection))
        )
        return {
            "url": self._engine.url.render_as_string(),
            "size_bytes": size,
            "events": count,
            "queued_rows": self._writer.queued_rows,
            "written_rows": self._writer.written_rows,
            "max_age_s": self._retention.max_age_s,
            "max_bytes": self._retention.max_bytes,
        }

    def flush(self, timeout_s: float = 10.0) -> None:
        """Wait until everything that was submitted before is written."""
        self._writer.flushed().result(timeout_s)

    def close(self, timeout_s: float = 2.0) -> int:
        """Write what waits and close the database; how many rows had to be left behind."""
        unused = self._next_id, self._ids_until
        if self._more_ids is None:
            self._writer.call(lambda connection: _give_back_ids(connection, *unused))
        left = self._writer.close(timeout_s)
        self._engine.dispose()
        return left

    def _read(self, ask: Callable[[Connection], T]) -> T:
        try:
            with self._engine.connect() as connection:
                return ask(connection)
        except SQLAlchemyError as exc:
            raise StoreError(
                "The database can't be read.",
                str(getattr(exc, "orig", None) or exc),
                slug="store-unusable",
            ) from exc

    def _ask_for_ids(self) -> None:
        if self._more_ids is None:
            self._more_ids = self._writer.call(
                lambda connection: _take_numbers(connection, "event", _ID_BLOCK)
            )
        elif self._more_ids.done():
            first = self._more_ids.result()
            self._more_ids = None
            # Ids of a batch follow each other: the rest of the old block is left unused, unless
            # the new one begins where it ends, as it does with one daemon.
            if first != self._ids_until:
                self._next_id = first
            self._ids_until = first + _ID_BLOCK


def _take_numbers(connection: Connection, kind: str, count: int) -> int:
    table = schema.counter
    taken = connection.execute(
        update(table).where(table.c.kind == kind).values(next=table.c.next + count)
    )
    if not taken.rowcount:
        connection.execute(insert(table).values(kind=kind, next=1 + count))
        return 1
    after: int = connection.execute(select(table.c.next).where(table.c.kind == kind)).scalar_one()
    return after - count


def _give_back_ids(connection: Connection, first: int, end: int) -> None:
    table = schema.counter
    connection.execute(
        update(table).where(table.c.kind == "event", table.c.next == end).values(next=first)
    )


def _save(connection: Connection, table: Any, key: str, value: int, fields: dict[str, Any]) -> None:
    """Update the row, or insert it: the same in every dialect."""
    changed = connection.execute(update(table).where(table.c[key] == value).values(**fields))
    if not changed.rowcount:
        connection.execute(insert(table).values(**{key: value}, **fields))
