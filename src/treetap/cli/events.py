"""``treetap events``: what the daemon has stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from treetap.cli import feed, screen, session, spec
from treetap.cli.tail import event_filters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treetap.client import DaemonClient

EPILOG = """\b
Examples:
  treetap events --probe p3 --since 10m
  treetap events --where 'order.total>100' --limit 20
  treetap events --since 09:00 --until 09:30 --json > hits.jsonl

\b
--where compares the value of an expression of the probe, written exactly as it was asked for.
"""

_PAGE = 500


def events(
    probe: Annotated[str, typer.Option(metavar="PROBE", help="Only this probe: id or name.")] = "",
    node: Annotated[
        str, typer.Option(metavar="NODE", help="Only this node: name, pid or node id.")
    ] = "",
    tree: Annotated[str, typer.Option(metavar="TREE", help="Only this tree.")] = "",
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="10m (ago), 09:30 or a full date.")
    ] = "",
    until: Annotated[str, typer.Option(metavar="WHEN", help="The same.")] = "",
    where: Annotated[
        str, typer.Option(metavar="EXPR<OP>VALUE", help="With == != < <= > >= or ~ (contains).")
    ] = "",
    limit: Annotated[
        int, typer.Option(metavar="N", min=0, help="At most N, the newest; 0: all.")
    ] = 100,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object an event and line.")
    ] = False,
) -> None:
    """Query stored events, oldest first."""
    filters = event_filters(probe=probe, node=node, tree=tree)
    if since:
        filters["since"] = spec.moment_ns(since)
    if until:
        filters["until"] = spec.moment_ns(until)
    if where:
        filters["where"] = where
    client = session.required_daemon(session.settings())
    try:
        found = list(newest(client, filters, limit))
    finally:
        client.close()
    lines = feed.EventLines()
    out = screen.console()
    for event in reversed(found):
        if as_json:
            screen.print_json(event)
        else:
            out.print(lines.line(event), soft_wrap=True)
    if not found:
        screen.complain("No event matches.")


def newest(client: DaemonClient, filters: dict[str, Any], limit: int) -> Iterator[dict[str, Any]]:
    """Up to ``limit`` events (0: all), page by page, newest first."""
    cursor = None
    count = 0
    while True:
        wanted = min(_PAGE, limit - count) if limit else _PAGE
        page = client.events(**filters, limit=wanted, **({"cursor": cursor} if cursor else {}))
        for event in page["events"]:
            count += 1
            yield event
        cursor = page.get("next_cursor")
        if not cursor or not page["events"] or (limit and count >= limit):
            return
