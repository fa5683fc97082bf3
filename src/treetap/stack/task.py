"""A task as it is told, and a tree of them as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treetap.stack import coroutine
from treetap.stack.place import places

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from types import FrameType

#: Of one loop. More are counted.
MAX_TASKS = 5000
MAX_PLACES = 50_000

#: What a task does.
WAITS, RUNS, READY = "waits", "runs", "is ready"

Row = dict[str, Any]


def row(
    name: str, state: str, awaitable: Any, stack: list[FrameType], *, is_cancelled: bool
) -> Row:
    """One task.

    Args:
        name: As the program calls it.
        state: ``WAITS`` or ``READY``; one whose frame is on ``stack`` runs.
        awaitable: Its coroutine.
        stack: Of the thread that runs its loop.
        is_cancelled: It has been told to end.
    """
    own = coroutine.own_frame(awaitable)
    if own is not None and own in stack:
        state, found = RUNS, stack[stack.index(own) :]
    else:
        found = coroutine.frames(awaitable)
    return {"name": name, "state": state, "is_cancelled": is_cancelled, "frames": places(found)}


def rows(
    tops: Iterable[Any],
    tell: Callable[[Any], Row],
    families: Callable[[Any], Iterable[Collection[Any]]],
) -> tuple[list[Row], int]:
    """A tree of tasks: parents before children, each once.

    Args:
        tops: Tasks without a parent.
        tell: Makes a task's row.
        families: The children of a task, by the nursery that they are in.

    Returns:
        The rows, each with its ``depth`` and the number of its ``nursery`` within its parent; and how
        many tasks were left out.
    """
    told: list[Row] = []
    left_out = places_told = 0
    seen: set[int] = set()
    ahead = [(task, 0, 0) for task in reversed(list(tops))]
    while ahead:
        task, depth, nursery = ahead.pop()
        if id(task) in seen:
            continue
        seen.add(id(task))
        if len(told) < MAX_TASKS and places_told < MAX_PLACES:
            told.append({"depth": depth, "nursery": nursery, **_told(task, tell)})
            places_told += len(told[-1]["frames"])
        else:
            left_out += 1
        below = [
            (child, depth + 1, number)
            for number, family in enumerate(families(task))
            for child in family
        ]
        ahead.extend(reversed(below))
    return told, left_out


def _told(task: Any, tell: Callable[[Any], Row]) -> Row:
    try:
        return tell(task)
    except Exception as exc:  # noqa: BLE001 - of the program's own making; the others are told
        state = f"can't be read: {type(exc).__name__}"
        return row(type(task).__name__, state, None, [], is_cancelled=False)
