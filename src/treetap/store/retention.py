"""What is too old, or too much, goes: oldest first, in short steps between two batches."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, exists, select

from treetap.store import schema
from treetap.store.database import give_back_space, size_bytes
from treetap.store.journal import sweep_journal
from treetap.store.total import add_to_event_total

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

#: Events deleted in one step: about 20 ms, in which batches wait.
STEP_EVENTS = 5_000
#: Where deleting by size stops, so that it doesn't begin again at once.
_LOW_WATER = 0.9


class Retention(NamedTuple):
    """How long and how much is kept.

    Attributes:
        max_age_s: Events older than this go; 0 keeps them.
        max_bytes: Of the whole database; 0 for no limit.
    """

    max_age_s: float = 7 * 24 * 3600.0
    max_bytes: int = 1024**3


#: Seven days, one GiB.
DEFAULT_RETENTION = Retention()


class Sweep:
    """One pass, step by step: each call of ``step`` is a transaction of its own."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._is_shrinking = False

    def step(self, connection: Connection) -> bool:
        """Delete a little; whether there is more to do."""
        if self._delete_old(connection) or self._delete_excess(connection):
            give_back_space(connection)
            return True
        _delete_unneeded(connection)
        sweep_journal(connection)
        return False

    def _delete_old(self, connection: Connection) -> bool:
        event = schema.event
        if not self._retention.max_age_s:
            return False
        before_ns = time.time_ns() - int(self._retention.max_age_s * 1e9)
        oldest = (
            select(event.c.id)
            .where(event.c.time_ns < before_ns)
            .order_by(event.c.time_ns)
            .limit(STEP_EVENTS)
        )
        return _deleted(connection, oldest) == STEP_EVENTS

    def _delete_excess(self, connection: Connection) -> bool:
        limit = self._retention.max_bytes
        if not limit:
            return False
        taken = size_bytes(connection)
        if taken > limit:
            self._is_shrinking = True
        if not self._is_shrinking or taken <= limit * _LOW_WATER:
            self._is_shrinking = False
            return False
        oldest = select(schema.event.c.id).order_by(schema.event.c.id).limit(STEP_EVENTS)
        return _deleted(connection, oldest) > 0


def _deleted(connection: Connection, ids: Select[tuple[int]]) -> int:
    event = schema.event
    deletion = delete(event).where(event.c.id.in_(ids.scalar_subquery()))
    deleted = connection.execute(deletion).rowcount
    if deleted:
        add_to_event_total(connection, -deleted)
    return deleted


def _delete_unneeded(connection: Connection) -> None:
    """Nodes not seen for a day and removed probes, once no event needs them."""
    event, node, probe, progress = schema.event, schema.node, schema.probe, schema.progress
    day_ago_s = int(time.time()) - 24 * 3600
    connection.execute(
        delete(node).where(
            node.c.last_seen_at_s < day_ago_s, ~exists().where(event.c.node == node.c.key)
        )
    )
    connection.execute(
        delete(probe).where(probe.c.is_removed, ~exists().where(event.c.probe == probe.c.number))
    )
    connection.execute(delete(progress).where(~exists().where(node.c.key == progress.c.node)))
