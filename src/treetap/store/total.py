"""How many events are kept: changed in the transaction that adds or deletes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from treetap.store import schema

if TYPE_CHECKING:
    from sqlalchemy import Connection

_EVENT = "event"


def event_total(connection: Connection) -> int:
    """How many events there are, losses included."""
    asked = select(schema.total.c.rows).where(schema.total.c.kind == _EVENT)
    return int(connection.execute(asked).scalar_one())


def add_to_event_total(connection: Connection, rows: int) -> None:
    """So many are more now, or less.

    The last thing in a transaction: another daemon on the same database waits here for its end.
    """
    total = schema.total
    connection.execute(update(total).where(total.c.kind == _EVENT).values(rows=total.c.rows + rows))
