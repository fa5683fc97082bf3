"""What the commands write: tables and lines for people, one JSON object a line for programs.

Colours come from rich, which leaves them out where the output isn't a terminal.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console, RenderableType
    from rich.table import Table

#: Wide enough that nothing is cut where no terminal sets a width: a program may read it.
_UNLIMITED_COLUMNS = 10_000
#: Columns between two of a table.
_GAP = 2

#: C0 and C1 control characters, as something that is safe on a terminal: an observed program
#: must not be able to write escape sequences to the screen of who observes it.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}

#: 2001-09-09; no machine has been up for so long.
_EARLIEST_EPOCH_NS = 10**18

STATE_STYLES = {
    "sleeping": "dim",
    "warm": "cyan",
    "waking": "yellow",
    "awake": "green",
    "gone": "dim",
    "armed": "green",
    "pending": "yellow",
    "tripped": "red",
    "failed": "red",
    "done": "cyan",
    "expired": "dim",
    "disabled": "dim",
}


def console(*, to_stderr: bool = False) -> Console:
    """A console on standard output (or error) that cuts nothing when it isn't a terminal."""
    from rich.console import Console

    made = Console(stderr=to_stderr, highlight=False, markup=False, emoji=False, soft_wrap=False)
    if not made.is_terminal:
        made.width = _UNLIMITED_COLUMNS
    return made


def plain(text: str) -> str:
    """``text`` with control characters made visible."""
    return text.translate(_CONTROLS)


def state_text(state: str) -> RenderableType:
    from rich.text import Text

    return Text(state, style=STATE_STYLES.get(state, ""))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table without frame; columns whose header ends in ``>`` are aligned to the right."""
    print_trimmed(_table(headers, rows))


def table_lines(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """The lines of such a table, as wide as it needs: the header's, and one a row."""
    return _trimmed(_table(headers, rows), table_width(headers, rows))


def table_width(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    """In columns of the terminal, where nothing is cut."""
    widths = [len(header.rstrip(">")) for header in headers]
    for row in rows:
        widths = [max(width, cell_width(cell)) for width, cell in zip(widths, row, strict=True)]
    return sum(widths) + _GAP * (len(widths) - 1)


def cell_width(cell: Any) -> int:
    """In columns of the terminal."""
    from rich.cells import cell_len

    return cell_len(plain(str(cell)))


def shortened(text: str, columns: int) -> str:
    """``text`` in at most so many columns of the terminal."""
    from rich.text import Text

    short = Text(plain(text))
    short.truncate(columns, overflow="ellipsis")
    return short.plain


def _table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    last = len(headers) - 1
    for index, header in enumerate(headers):
        table.add_column(
            header.rstrip(">"),
            justify="right" if header.endswith(">") else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=None,
            min_width=None if index == last else min(len(header.rstrip(">")), 8),
        )
    for row in rows:
        table.add_row(*(plain(cell) if isinstance(cell, str) else cell for cell in row))
    return table


def print_trimmed(renderable: RenderableType) -> None:
    """Print without the blanks with which rich fills the last column."""
    write_lines(_trimmed(renderable))


def _trimmed(renderable: RenderableType, at_least: int = 0) -> list[str]:
    out = console()
    out.width = max(out.width, at_least)
    with out.capture() as captured:
        out.print(renderable)
    return [line.rstrip() for line in captured.get().splitlines()]


def write_lines(lines: Iterable[str]) -> None:
    """Lines that hold nothing but what is safe on a terminal, at once."""
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def print_json(value: Any) -> None:
    """One JSON object on one line, at once."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """One line to standard error."""
    sys.stderr.write(plain(text) + "\n")
    sys.stderr.flush()


def duration_text(seconds: float) -> str:
    """``"4s"``, ``"12m"``, ``"3h05m"``, ``"2d04h"``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s" if whole < 600 else f"{whole // 60}m"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def age_text(start_ns: int) -> str:
    """How old a process is, for people; ``start_ns`` as in its identity.

    On Linux that counts from the machine's boot, elsewhere from the epoch.
    """
    counts_from_boot = start_ns < _EARLIEST_EPOCH_NS and hasattr(time, "CLOCK_BOOTTIME")
    now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) if counts_from_boot else time.time_ns()
    return duration_text((now_ns - start_ns) / 1e9)
