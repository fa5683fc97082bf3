"""``treetap tail``: values as they happen, across a daemon that comes and goes."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treetap.cli import feed, screen, session
from treetap.errors import DaemonError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from treetap.client import DaemonClient
    from treetap.config.settings import Settings

EPILOG = """\b
Examples:
  treetap tail
  treetap tail --probe p3 --last 20
  treetap tail --json | jq .values

\b
ctrl-c ends it, with exit code 0. If the daemon goes away, tail says so on standard error, waits
for its return, and goes on where it was.
"""

_RETRY_S = 0.25
#: What is asked for again after a break; the stream's own order is by arrival.
_CATCH_UP_LIMIT = 1000


def tail(
    probe: Annotated[str, typer.Option(metavar="PROBE", help="Only this probe: id or name.")] = "",
    node: Annotated[
        str, typer.Option(metavar="NODE", help="Only this node: name, pid or node id.")
    ] = "",
    tree: Annotated[str, typer.Option(metavar="TREE", help="Only this tree.")] = "",
    last: Annotated[
        int, typer.Option(metavar="N", min=0, help="Begin with the last N events.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object an event and line.")
    ] = False,
) -> None:
    """Follow values as they happen.

    Losses are shown with their number. Columns and colours are for terminals; a pipe gets plain
    lines, or with --json one object a line.
    """
    settings = session.settings()
    filters = event_filters(probe=probe, node=node, tree=tree)
    show = screen.print_json if as_json else _line_printer()
    session.required_daemon(settings).close()  # a first call without a daemon is an error
    try:
        for event in follow(settings, filters, last):
            show(event)
    except KeyboardInterrupt:
        return


def event_filters(*, probe: str, node: str, tree: str) -> dict[str, Any]:
    """Only what was asked for; a number as ``node`` is a pid."""
    filters: dict[str, Any] = {"probe": probe, "tree": tree}
    filters["pid" if node.isdigit() else "node"] = node
    return {key: value for key, value in filters.items() if value}


def follow(settings: Settings, filters: dict[str, Any], last: int) -> Iterator[dict[str, Any]]:
    """Hits and losses without end; bridges the absence of the daemon."""
    seen = Seen()
    for attempt in itertools.count():
        client = session.running_daemon(settings)
        if client is None:
            time.sleep(_RETRY_S)
            continue
        if attempt:
            screen.complain("treetap tail: the daemon is back.")
        try:
            yield from _session(
                client, filters, last if not seen.newest_ns else _CATCH_UP_LIMIT, seen
            )
        except DaemonError as exc:
            screen.complain(
                f"treetap tail: the daemon is gone ({exc.what}); waiting for its return."
            )
        finally:
            client.close()
        time.sleep(_RETRY_S)


class Seen:
    """Which events were shown already: the stream and a query overlap."""

    def __init__(self) -> None:
        self.newest_ns = 0
        self._ids: dict[Any, None] = {}

    def is_new(self, event: dict[str, Any]) -> bool:
        self.newest_ns = max(self.newest_ns, event.get("time_ns") or 0)
        key = event.get("id")
        if key is None:
            return True
        if key in self._ids:
            return False
        self._ids[key] = None
        if len(self._ids) > 2 * _CATCH_UP_LIMIT:
            del self._ids[next(iter(self._ids))]
        return True


def _session(
    client: DaemonClient, filters: dict[str, Any], last: int, seen: Seen
) -> Iterator[dict[str, Any]]:
    for event in client.stream(**filters, last=last):
        if event.get("kind") in ("hit", "loss") and seen.is_new(event):
            yield event


def _line_printer() -> Callable[[dict[str, Any]], None]:
    lines = feed.EventLines()
    out = screen.console()

    def show(event: dict[str, Any]) -> None:
        out.print(lines.line(event), overflow="ellipsis", crop=True, soft_wrap=not out.is_terminal)

    return show
