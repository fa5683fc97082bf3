"""Asking the store for events: what ``tail`` and ``events`` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from treetap.client import DaemonClient

_PAGE = 500


def event_filters(*, probe: str, node: str, tree: str) -> dict[str, Any]:
    """Only what was asked for; a ``node`` may be a pid, a node's id or its name."""
    pid, _dash, start = node.partition("-")
    kind = "pid" if node.isdigit() else "node" if pid.isdigit() and start else "name"
    filters = {"probe": probe, "tree": tree, kind: node}
    return {key: value for key, value in filters.items() if value}


def newest(client: DaemonClient, filters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Events page by page, newest first: up to the filter ``limit``, or all if that is 0."""
    limit = int(filters.get("limit", 0))
    asked = dict(filters)
    count = 0
    while True:
        asked["limit"] = min(_PAGE, limit - count) if limit else _PAGE
        page = client.events(**asked)
        yield from page["events"]
        count += len(page["events"])
        asked["cursor"] = page["next_cursor"]
        if asked["cursor"] is None or not page["events"] or (limit and count >= limit):
            return
