"""Reading: pages of events, and what is known of nodes and probes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, bindparam, false, func, select, union_all

from treetap.store import schema
from treetap.store.event import EventFilter, EventPage
from treetap.store.where import any_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

MAX_PAGE_EVENTS = 10_000
#: Probes or nodes of a filter that are walked one by one; SQLite joins no more than 500.
_MAX_BRANCHES = 100


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
    order = event.c.id if is_ascending else event.c.id.desc()
    beyond = (
        [] if cursor is None else [event.c.id > cursor if is_ascending else event.c.id < cursor]
    )
    branches = _branches(connection, wanted)
    if len(branches) == 1:
        query = _joined().where(*branches[0], *beyond).limit(limit + 1).offset(skip)
    else:
        each = [
            select(event.c.id)
            .where(*conditions, *beyond)
            .order_by(order)
            .limit(skip + limit + 1)
            .subquery()
            for conditions in branches
        ]
        ids = union_all(*(select(one.c.id) for one in each)).subquery().c.id
        first = select(ids).order_by(ids if is_ascending else ids.desc())
        query = _joined().where(event.c.id.in_(first.limit(limit + 1).offset(skip)))
    query = query.order_by(order)
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
    # No two branches have an event in common.
    counts = (
        select(func.count()).select_from(schema.event).where(*conditions)
        for conditions in _branches(connection, wanted)
    )
    return sum(int(connection.execute(count).scalar_one()) for count in counts)


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


def _branches(connection: Connection, wanted: EventFilter) -> list[list[Any]]:
    """The conditions of a filter; of one that names several probes or nodes, of each by itself.

    Each walks an index in the order of its ids, and stops when a page is full. Of several at once
    a database collects, and sorts, all that match.
    """
    event = schema.event
    rest = _of_the_rest(wanted, connection.dialect.name)
    probes = None if wanted.probes is None else dict.fromkeys(wanted.probes)
    of_probes = [] if probes is None else [event.c.probe.in_(probes)]
    named = _keys_of_nodes(wanted)
    of_nodes = [] if named is None else [event.c.node.in_(named)]
    if probes is not None and len(probes) <= _MAX_BRANCHES:
        return [[event.c.probe == each, *of_nodes, *rest] for each in probes] or [[false()]]
    if named is not None:
        nodes = connection.execute(named.limit(_MAX_BRANCHES + 1)).scalars().all()
        if len(nodes) <= _MAX_BRANCHES:
            return [[event.c.node == each, *of_probes, *rest] for each in nodes] or [[false()]]
    return [[*of_probes, *of_nodes, *rest]]


def _keys_of_nodes(wanted: EventFilter) -> Select[tuple[int]] | None:
    """Those that a filter names; ``None`` if it is for all."""
    node = schema.node
    conditions = [
        column == value
        for column, value in (
            (node.c.node_id, wanted.node),
            (node.c.tree, wanted.tree),
            (node.c.pid, wanted.pid),
            (node.c.name, wanted.name),
        )
        if value is not None
    ]
    return select(node.c.key).where(*conditions) if conditions else None


def _of_the_rest(wanted: EventFilter, dialect: str) -> list[Any]:
    event = schema.event
    conditions: list[Any] = []
    if wanted.since_ns:
        conditions.append(event.c.time_ns >= wanted.since_ns)
    if wanted.until_ns:
        conditions.append(event.c.time_ns < wanted.until_ns)
    if wanted.only_hits:
        conditions.append(event.c.lost == 0)
    if wanted.comparisons:
        conditions.append(any_of(wanted.comparisons, dialect))
    return conditions
