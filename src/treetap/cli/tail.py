"""``treetap tail``: values as they happen, across a daemon that comes and goes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treetap.cli import feed, screen, session
from treetap.cli.page import event_filters, newest
from treetap.errors import DaemonError

if TYPE_CHECKING:
    from collections.abc import Callable

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
        Follower(settings, filters, show).follow(last)
    except KeyboardInterrupt:
        return


class Seen:
    """Which events were shown already: the stream and a query overlap."""

    def __init__(self, newest_ns: int) -> None:
        self.newest_ns = newest_ns
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


class Follower:
    """Shows hits and losses without end; bridges the absence of the daemon."""

    def __init__(
        self, settings: Settings, filters: dict[str, Any], show: Callable[[dict[str, Any]], None]
    ) -> None:
        self._settings = settings
        self._filters = filters
        self._show = show
        self._seen = Seen(time.time_ns())
        self._is_silence_told = False

    def follow(self, last: int) -> None:
        """Begin with the last ``last`` events; returns only by an exception."""
        past = {"limit": last} if last else None
        is_first = True
        while True:
            client = self._find_daemon()
            if client is not None:
                if not is_first:
                    screen.complain("treetap tail: the daemon is back.")
                self._follow_one(client, past)
                is_first = False
                past = {"since": self._seen.newest_ns, "limit": _CATCH_UP_LIMIT}
            time.sleep(_RETRY_S)

    def _find_daemon(self) -> DaemonClient | None:
        try:
            found = session.running_daemon(self._settings)
        except DaemonError as exc:
            if not self._is_silence_told:
                screen.complain(exc.line)
            self._is_silence_told = True
            return None
        self._is_silence_told = False
        return found

    def _follow_one(self, client: DaemonClient, past: dict[str, Any] | None) -> None:
        """Until this daemon is gone."""

        def catch_up() -> None:
            # Only once the stream listens: so nothing falls between the two.
            if past is not None:
                for event in reversed(list(newest(client, {**self._filters, **past}))):
                    self._show_new(event)

        reason = "it ended"
        try:
            for event in client.stream(**self._filters, on_listening=catch_up):
                self._show_new(event)
        except DaemonError as exc:
            if not exc.slug.startswith("daemon"):
                raise  # it is there, and refuses
            reason = exc.what.rstrip(".")
        finally:
            client.close()
        screen.complain(f"treetap tail: the daemon is gone ({reason}); waiting for its return.")

    def _show_new(self, event: dict[str, Any]) -> None:
        if event.get("kind") in ("hit", "loss") and self._seen.is_new(event):
            self._show(event)


def _line_printer() -> Callable[[dict[str, Any]], None]:
    out = screen.console()
    lines = feed.EventLines(is_cut=out.is_terminal)

    def show(event: dict[str, Any]) -> None:
        out.print(lines.line(event), overflow="ellipsis", crop=True, soft_wrap=not out.is_terminal)

    return show
