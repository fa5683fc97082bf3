"""Values on the screen: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Self

from treetap.cli import feed, screen
from treetap.errors import DaemonError

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from treetap.client import DaemonClient

_ROWS = 14
_REFRESHES_A_SECOND = 8
#: A pipe gets this many lines, not some hundred.
_MAX_PLAIN_LINES = 20


class Watch:
    """A context manager: inside it every event is counted by probe, and shown.

    Attributes:
        hits: Records by probe id.
        lost: Values lost, of all probes.
    """

    def __init__(self, client: DaemonClient) -> None:
        self.hits: Counter[str] = Counter()
        self.lost = 0
        self.is_shown = True
        self._client = client
        self._lines = feed.EventLines(is_cut=True)
        self._recent: deque[Any] = deque(maxlen=_ROWS)
        self._console = screen.console()
        self._live: Live | None = None
        self._printed = 0
        self._is_over = False
        self._is_open = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(
                get_renderable=self._table,
                console=self._console,
                refresh_per_second=_REFRESHES_A_SECOND,
            )
            self._live.start()
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._is_over = True
        if self._live is not None:
            self._live.stop()

    def _run(self) -> None:
        # A daemon thread: it ends with the stream, which ends with the demo's daemon.
        try:
            for event in self._client.stream():
                if self._is_over:
                    return
                self._take(event)
        except DaemonError:
            return

    def _take(self, event: dict[str, Any]) -> None:
        if event.get("kind") == "loss":
            self.lost += int(event.get("lost") or 0)
        elif event.get("kind") == "hit":
            self.hits[str(event.get("probe"))] += 1
        else:
            return
        line = self._lines.line(event)
        if self._live is not None:
            self._recent.append(line)
        elif self._printed < _MAX_PLAIN_LINES:
            self._printed += 1
            print(line.plain, flush=True)

    def _table(self) -> Table:
        from rich.table import Table

        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for line in list(self._recent):
            table.add_row(line)
        table.caption = f"{self.hits.total()} values, {self.lost} lost"
        return table
