"""Reading: pages of events, and what is known of nodes and probes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, bindparam, false, func, select

from treetap.store import schema
from treetap.store.event import EventFilter, EventPage
from treetap.store.where import any_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

MAX_PAGE_EVENTS = 10_000


def events_page(
    connection: Connection,
    wanted: EventFilter,
    *,
    limit: int = 100,
    cursor: int | None = None,
    is_ascending: bool = False,
    skip: int = 0,
) -> EventPage:
    """One page, newest first unless ``is_ascending``.

    A cursor is the id of the last event that was shown. Ids only grow, so that what is written
    meanwhile neither shifts a page nor shows an event twice; ascending, the last page's cursor
    goes on to what comes later. ``skip`` leaves out so many, for who knows pages by number only.
    """
    event = schema.event
    query = _filtered(_joined(), wanted, connection.dialect.name)
    if cursor is not None:
        query = query.where(event.c.id > cursor if is_ascending else event.c.id < cursor)
    query = (
        query.order_by(event.c.id if is_ascending else event.c.id.desc())
        .limit(limit + 1)
        .offset(skip)
    )
    rows = [dict(row) for row in connection.execute(query).mappings()]
    has_more = len(rows) > limit
    rows = rows[:limit]
    if is_ascending:
        next_cursor = rows[-1]["id"] if rows else cursor
    else:
        next_cursor = rows[-1]["id"] if has_more else None
    return EventPage(rows, next_cursor)


def event_count(connection: Connection, wanted: EventFilter) -> int:
    """How many events a filter matches."""
    query = _filtered(
        select(func.count()).select_from(schema.event), wanted, connection.dialect.name
    )
    return int(connection.execute(query).scalar_one())


def last_hits_ns(connection: Connection, probes: Sequence[int]) -> dict[int, int]:
    """The time of the newest hit of each probe that has one, by its number."""
    event = schema.event
    newest = (
        select(event.c.time_ns)
        .where(event.c.probe == bindparam("number"), event.c.lost == 0)
        .order_by(event.c.id.desc())
        .limit(1)
    )
    # One short walk of an index each: the newest of all at once would be a walk of the whole.
    found = {number: connection.execute(newest, {"number": number}).scalar() for number in probes}
    return {number: time_ns for number, time_ns in found.items() if time_ns is not None}


def _joined() -> Select[Any]:
    node, probe, event = schema.node, schema.probe, schema.event
    # Outer joins: the events lead, in their own order, and each fetches its two.
    return select(
        event, node.c.node_id, node.c.pid, node.c.name, node.c.tree, probe.c.definition
    ).select_from(
        event.outerjoin(node, node.c.key == event.c.node).outerjoin(
            probe, probe.c.number == event.c.probe
        )
    )


def _filtered(query: Select[Any], wanted: EventFilter, dialect: str) -> Select[Any]:
    event = schema.event
    if wanted.probes is not None:
        query = query.where(event.c.probe.in_(wanted.probes) if wanted.probes else false())
    of_node = [
        column == value
        for column, value in (
            (schema.node.c.node_id, wanted.node),
            (schema.node.c.tree, wanted.tree),
            (schema.node.c.pid, wanted.pid),
            (schema.node.c.name, wanted.name),
        )
        if value is not None
    ]
    if of_node:
        query = query.where(event.c.node.in_(select(schema.node.c.key).where(and_(*of_node))))
    if wanted.since_ns:
        query = query.where(event.c.time_ns >= wanted.since_ns)
    if wanted.until_ns:
        query = query.where(event.c.time_ns < wanted.until_ns)
    if wanted.only_hits:
        query = query.where(event.c.lost == 0)
    if wanted.comparisons:
        query = query.where(any_of(wanted.comparisons, dialect))
    return query
