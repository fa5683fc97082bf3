"""A dump as text: a process a block, its threads, then its tasks as trees."""

from __future__ import annotations

import linecache
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_SOURCE_CHARS = 100
#: An observed program must not write escape sequences to the screen of who observes it.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}

#: Where nothing is to be learnt: below every thread, and above every task that waits.
_THREAD_FOOT = "/threading.py"
_TRIO_CORE = "/trio/_core/"

_BRANCH, _LAST, _LINE, _GAP = "├─ ", "└─ ", "│  ", "   "


def lines(dump: dict[str, Any]) -> Iterator[str]:
    """The lines of one process, without its title."""
    names = {thread["id"]: str(thread["name"]) for thread in dump["threads"]}
    for thread in dump["threads"]:
        notes = [str(thread["at"])] if thread["at"] else []
        notes += ["daemon"] if thread["is_daemon"] else []
        yield f"thread {plain(thread['name'])}{_noted(notes)}"
        yield from _frames(_without_foot(thread["frames"]), _GAP)
    for loop in dump["loops"]:
        where = f"in {plain(names[loop['thread']])}" if loop["thread"] in names else "not running"
        count = len(loop["tasks"]) + loop["left_out"]
        yield f"{loop['kind']}, {where}: {count} task{'' if count == 1 else 's'}"
        yield from _tree(loop["tasks"])
        if loop["left_out"]:
            yield f"{_GAP}and {loop['left_out']} more"
    for fault in dump.get("faults", ()):
        yield f"not read: {plain(fault)}"


def _tree(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Rows in the order of the tree, each with its ``depth``."""
    last_at = _last_ones(rows)
    open_depths: list[bool] = []
    for number, row in enumerate(rows):
        depth = row["depth"]
        del open_depths[depth:]
        lead = "".join(_LINE if is_open else _GAP for is_open in open_depths)
        is_last = last_at[number]
        open_depths.append(not is_last)
        has_children = number + 1 < len(rows) and rows[number + 1]["depth"] > depth
        below = lead + (_GAP if is_last else _LINE)
        notes = [str(row["state"])] if row["state"] != "waits" else []
        notes += ["cancelled"] if row["is_cancelled"] else []
        nursery = f", nursery {row['nursery'] + 1}" if row["nursery"] else ""
        yield f"{lead}{_LAST if is_last else _BRANCH}{plain(row['name'])}{_noted(notes)}{nursery}"
        yield from _frames(_without_core(row), below + (_LINE if has_children else _GAP))


def _last_ones(rows: list[dict[str, Any]]) -> list[bool]:
    """For each row whether it is the last child of its parent."""
    is_last = [True] * len(rows)
    followed: list[bool] = []  # by depth: whether a sibling comes later
    for number in range(len(rows) - 1, -1, -1):
        depth = rows[number]["depth"]
        del followed[depth + 1 :]
        followed.extend([False] * (depth + 1 - len(followed)))
        is_last[number] = not followed[depth]
        followed[depth] = True
    return is_last


def _without_foot(frames: list[list[Any]]) -> list[list[Any]]:
    bare = list(frames)
    while len(bare) > 1 and str(bare[0][0]).endswith(_THREAD_FOOT):
        del bare[0]
    return bare


def _without_core(row: dict[str, Any]) -> list[list[Any]]:
    bare = list(row["frames"])
    while len(bare) > 1 and _TRIO_CORE in str(bare[-1][0]) and row["state"] != "runs":
        bare.pop()
    return bare


def _frames(frames: list[list[Any]], lead: str) -> Iterator[str]:
    for file, line, function in frames:
        source = _source(file, line)
        yield f"{lead}{plain(file)}:{line} in {plain(function)}{': ' if source else ''}{source}"


def _source(file: str, line: int) -> str:
    # A relative name is relative to where another process is, or was.
    if not os.path.isabs(file):
        return ""
    linecache.checkcache(file)
    return plain(linecache.getline(file, line).strip())[:_MAX_SOURCE_CHARS]


def _noted(notes: list[str]) -> str:
    return f" ({', '.join(notes)})" if notes else ""


def plain(text: Any) -> str:
    """``text`` without what a terminal acts upon."""
    return str(text).translate(_CONTROLS)
