"""The one thread that writes.

Batches come over a bounded queue, and go into the database many rows a transaction. What is rare
(a new node, a changed probe, retention) comes as a call that the thread makes between them, so
that SQLite never has two writers. A transaction that fails is tried again; what fails for good is
told to ``on_loss`` with its rows, and never holds up what follows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec.json
from sqlalchemy import delete, insert
from sqlalchemy.exc import DBAPIError, OperationalError

from treetap.store import schema
from treetap.store.event import EventBatch, LossRow
from treetap.store.total import add_to_event_total

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Engine

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Rows and bytes (as they were on the wire) that wait at most: three seconds of the highest rate.
MAX_QUEUED_ROWS = 150_000
MAX_QUEUED_BYTES = 48 * 1024 * 1024
#: Rows of one transaction at most, unless a single batch has more.
MAX_TRANSACTION_ROWS = 20_000
_ATTEMPTS = 5
_RETRY_S = 0.2
#: How long a single hit waits for company, in seconds. It is in the live feed already.
_GATHER_S = 0.02

_encode = msgspec.json.Encoder().encode


class Writer:
    """Owns its thread from construction to ``close``.

    Args:
        engine: On a migrated database.
        on_loss: Called in the writer's thread with what could not be written, and the reason.
    """

    def __init__(
        self, engine: Engine, on_loss: Callable[[Sequence[EventBatch], str], None]
    ) -> None:
        self._engine = engine
        self._on_loss = on_loss
        self._insert = _RowInsert(engine)
        # Protects the four below, and `_is_closing`.
        self._condition = threading.Condition()
        self._batches: deque[EventBatch | LossRow | Future[None]] = deque()
        self._queued_rows = 0
        self._queued_bytes = 0
        self._calls: deque[tuple[Callable[[Connection], Any], Future[Any]]] = deque()
        self._is_closing = False
        self._written_rows = 0
        self._writing_rows = 0
        self._thread = threading.Thread(target=self._run, name="treetap-writer", daemon=True)
        self._thread.start()

    def submit(self, batch: EventBatch) -> bool:
        """Take a batch, unless the queue is full. Never waits."""
        with self._condition:
            if (
                self._queued_rows >= MAX_QUEUED_ROWS
                or self._queued_bytes >= MAX_QUEUED_BYTES
                or self._is_closing
            ):
                return False
            self._batches.append(batch)
            self._queued_rows += len(batch.rows)
            self._queued_bytes += batch.size_bytes
            self._condition.notify()
        return True

    def submit_loss(self, loss: LossRow) -> None:
        """Take a loss, always: whoever counts it has put many losses into one."""
        with self._condition:
            self._batches.append(loss)
            self._condition.notify()

    def flushed(self) -> Future[None]:
        """Done when everything that was submitted before is written, or given up."""
        future: Future[None] = Future()
        with self._condition:
            self._batches.append(future)
            self._condition.notify()
        return future

    def call(self, function: Callable[[Connection], T]) -> Future[T]:
        """Have the writer's thread call ``function`` in a transaction of its own."""
        future: Future[T] = Future()
        with self._condition:
            if self._is_closing:
                future.set_exception(RuntimeError("the store is closed"))
                return future
            self._calls.append((function, future))
            self._condition.notify()
        return future

    @property
    def queued_rows(self) -> int:
        return self._queued_rows

    @property
    def written_rows(self) -> int:
        return self._written_rows

    def close(self, timeout_s: float = 2.0) -> int:
        """Write what waits, for ``timeout_s`` seconds at most, and end the thread.

        The transaction that is under way by then has as long again.

        Returns:
            How many rows had to be left behind.
        """
        with self._condition:
            self._is_closing = True
            self._condition.notify()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            with self._condition:
                left = self._queued_rows
                self._batches.clear()
            self._thread.join(timeout_s)
            return left + (self._writing_rows if self._thread.is_alive() else 0)
        return 0

    def _run(self) -> None:
        while True:
            with self._condition:
                while not (self._batches or self._calls or self._is_closing):
                    self._condition.wait()
                if not self._batches and not self._calls:
                    return
                calls = list(self._calls)
                self._calls.clear()
                if not calls and not self._is_closing and self._queued_rows < 1000:
                    self._condition.wait(_GATHER_S)
                pending, markers = self._take()
            if pending:
                self._write(pending)
                self._writing_rows = 0
            for marker in markers:
                marker.set_result(None)
            for function, future in calls:
                self._call(function, future)

    def _take(self) -> tuple[list[EventBatch | LossRow], list[Future[None]]]:
        taken: list[EventBatch | LossRow] = []
        markers: list[Future[None]] = []
        rows = 0
        while self._batches and rows < MAX_TRANSACTION_ROWS:
            entry = self._batches.popleft()
            if isinstance(entry, Future):
                markers.append(entry)
                continue
            taken.append(entry)
            if isinstance(entry, EventBatch):
                rows += len(entry.rows)
                self._queued_bytes -= entry.size_bytes
        self._queued_rows -= rows
        self._writing_rows = rows
        return taken, markers

    def _call(self, function: Callable[[Connection], Any], future: Future[Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            with self._engine.begin() as connection:
                outcome = function(connection)
        except Exception as exc:  # noqa: BLE001 - it belongs to who asked
            future.set_exception(exc)
        else:
            future.set_result(outcome)

    def _write(self, pending: list[EventBatch | LossRow]) -> None:
        """Write all of it in one transaction; or what can be, batch by batch."""
        for attempt in range(_ATTEMPTS):
            try:
                self._write_once(pending)
                return
            except OperationalError as exc:
                # Locked, or the disk is full: it may be over in a moment.
                log.warning("writing %d batches failed: %s", len(pending), exc.orig)
                reason = str(exc.orig)
                if attempt < _ATTEMPTS - 1:
                    time.sleep(_RETRY_S * (attempt + 1))
            except (DBAPIError, ValueError, TypeError, OverflowError) as exc:
                reason = str(exc)
                break
            except Exception as exc:
                # The thread has to live: without it nothing is ever written again.
                log.exception("writing %d batches failed", len(pending))
                reason = repr(exc)
                break
        if len(pending) > 1:
            for batch in pending:
                self._write([batch])
            return
        log.error("%d rows are lost: %s", _row_count(pending), reason)
        self._on_loss([batch for batch in pending if isinstance(batch, EventBatch)], reason)

    def _write_once(self, pending: list[EventBatch | LossRow]) -> None:
        rows: list[tuple[Any, ...]] = []
        progress: dict[tuple[int, int], int] = {}
        for batch in pending:
            if isinstance(batch, EventBatch):
                rows += _rows_of(batch)
                end = batch.first_number + len(batch.rows)
            else:
                rows.append(_row_of_loss(batch))
                end = batch.next_number
            progress[batch.node, batch.probe] = end
        with self._engine.begin() as connection:
            self._insert(connection, rows)
            _write_progress(connection, progress)
            add_to_event_total(connection, len(rows))
        self._written_rows += len(rows)


class _RowInsert:
    """Inserts rows as fast as the driver can: SQLAlchemy's own layer would cost as much again."""

    def __init__(self, engine: Engine) -> None:
        self._columns = [column.name for column in schema.event.columns]
        self._is_positional = engine.dialect.paramstyle == "qmark"
        self._sql = str(insert(schema.event).compile(dialect=engine.dialect))

    def __call__(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        if self._is_positional:
            connection.exec_driver_sql(self._sql, rows)
            return
        named = [dict(zip(self._columns, row, strict=True)) for row in rows]
        connection.execute(insert(schema.event), named)


def _rows_of(batch: EventBatch) -> list[tuple[Any, ...]]:
    event_id, probe, node, number, rows, _size = batch
    return [
        (event_id + i, probe, node, number + i, row[0], 0, _encode(row[1:]).decode())
        for i, row in enumerate(rows)
    ]


def _row_of_loss(loss: LossRow) -> tuple[Any, ...]:
    event_id, probe, node, number, time_ns, lost, where, _next = loss
    return (event_id, probe, node, number, time_ns, lost, _encode(where).decode())


def _write_progress(connection: Connection, progress: dict[tuple[int, int], int]) -> None:
    table = schema.progress
    for (node, probe), next_number in progress.items():
        connection.execute(delete(table).where(table.c.node == node, table.c.probe == probe))
        connection.execute(insert(table).values(node=node, probe=probe, next_number=next_number))


def _row_count(pending: Sequence[EventBatch | LossRow]) -> int:
    return sum(len(batch.rows) for batch in pending if isinstance(batch, EventBatch))
