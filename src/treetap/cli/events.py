"""``treetap events``: what the daemon has stored."""

from __future__ import annotations

from typing import Annotated

import typer

from treetap.cli import feed, screen, session, spec
from treetap.cli.page import event_filters, newest

EPILOG = """\b
Examples:
  treetap events --probe p3 --since 10m
  treetap events --where 'order.total>100' --limit 20
  treetap events --since 09:00 --until 09:30 --json > hits.jsonl

\b
--where compares the value of an expression of the probe, written exactly as it was asked for.
"""


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
        found = list(newest(client, {**filters, "limit": limit}))
    finally:
        client.close()
    out = screen.console()
    lines = feed.EventLines(is_cut=out.is_terminal)
    for event in reversed(found):
        if as_json:
            screen.print_json(event)
        else:
            out.print(lines.line(event), soft_wrap=True)
    if not found:
        screen.complain("No event matches.")
