"""``/api/v2/events``: what is kept."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.routing import Route

from treetap.api.answer import bad_query, json_answer
from treetap.daemon.event_form import StoredEvents
from treetap.store import EventFilter
from treetap.store.query import MAX_PAGE_EVENTS
from treetap.store.where import parse_where

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from treetap.daemon import Daemon
    from treetap.store.event import Comparison

_DEFAULT_LIMIT = 100
#: Numbers below are seconds since the epoch, from here on nanoseconds.
_NS_FROM = 10**12
_MAX_INT = 2**63 - 1


def routes(daemon: Daemon) -> list[Route]:
    async def events(request: Request) -> Response:
        """One page of events."""
        query = request.query_params
        wanted = event_filter(daemon, query)
        limit = _whole(query, "limit", _DEFAULT_LIMIT, 1, MAX_PAGE_EVENTS)
        cursor = _whole(query, "cursor", -1, 0, _MAX_INT)
        order = query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise bad_query("order", order, "asc or desc")
        page = await asyncio.to_thread(
            daemon.store.events,
            wanted,
            limit=limit,
            cursor=None if cursor < 0 else cursor,
            is_ascending=order == "asc",
        )
        form = StoredEvents()
        next_cursor = None if page.next_cursor is None else str(page.next_cursor)
        return json_answer(
            {"events": [form.event(row) for row in page.events], "next_cursor": next_cursor}
        )

    return [Route("/api/v2/events", events, methods=["GET"])]


def event_filter(daemon: Daemon, query: Mapping[str, str]) -> EventFilter:
    """What the query's ``probe, node, name, tree, pid, since, until, where`` say.

    Raises:
        DaemonError: One can't be used (slug ``request-query``).
        StoreError: ``where`` can't (``where-syntax``, ``where-unknown``).
    """
    probe, where = query.get("probe"), query.get("where")
    numbers = daemon.registry.numbers_of(probe) if probe else None
    comparisons: tuple[Comparison, ...] = ()
    if where:
        comparisons = parse_where(
            where,
            [
                (record.number, record.keys)
                for record in daemon.registry.known()
                if numbers is None or record.number in numbers
            ],
        )
    return EventFilter(
        probes=numbers,
        node=query.get("node") or None,
        tree=query.get("tree") or None,
        pid=_whole(query, "pid", 0, 1, _MAX_INT) or None,
        name=query.get("name") or None,
        since_ns=_moment_ns(query, "since"),
        until_ns=_moment_ns(query, "until"),
        comparisons=comparisons,
    )


def _whole(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise bad_query(name, text, f"a whole number from {least} to {most}")
    return int(text)


def _moment_ns(query: Mapping[str, str], name: str) -> int:
    """A moment in nanoseconds since the epoch; 0 if it isn't given."""
    text = query.get(name, "")
    if not text:
        return 0
    try:
        if text.isascii() and text.isdigit():
            number = int(text[:25])
            moment_ns = number * 10**9 if number < _NS_FROM else number
        elif text[0].isdigit() and "-" not in text and ":" not in text:
            moment_ns = int(float(text) * 1e9)
        else:
            moment_ns = int(datetime.fromisoformat(text).timestamp() * 1e9)
    except (ValueError, OverflowError) as exc:
        raise _bad_moment(name, text) from exc
    if not 0 <= moment_ns <= _MAX_INT:
        raise _bad_moment(name, text)
    return moment_ns


def _bad_moment(name: str, text: str) -> Exception:
    return bad_query(
        name, text, "seconds or nanoseconds since the epoch, or a date as 2026-01-31T12:00:00+00:00"
    )
