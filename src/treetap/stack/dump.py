"""Everything that a process does now, as one value: what the control plane answers, and a dump shows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from treetap.stack import asyncio_loop, thread, trio_loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from treetap.stack.thread import Stack


def take() -> dict[str, Any]:
    """The ``threads`` of this process, its ``loops`` with their tasks, and what couldn't be read.

    Each thread has ``id``, ``name``, ``is_daemon``, ``at`` (what it does with the terminal) and
    ``frames``: ``[file, line, function]``, outermost first. Each loop has its ``kind``, ``thread``
    (0 while it runs in none), ``tasks`` and ``left_out`` (how many more there are); each task its
    ``name``, ``state``, ``is_cancelled``, ``frames``, and its place in the tree: ``depth`` and
    ``nursery``, the number of its nursery within its parent.

    Never raises for what it finds: a tree that changes too fast is among ``faults``.
    """
    stacks = thread.stacks()
    faults: list[str] = []
    loops = [
        *_read(trio_loop.runs, stacks, faults),
        *_read(asyncio_loop.loops, stacks, faults),
    ]
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "threads": thread.told(stacks),
        "loops": loops,
        "faults": faults,
    }


def _read(
    read: Callable[[dict[int, Stack]], list[dict[str, Any]]],
    stacks: dict[int, Stack],
    faults: list[str],
) -> list[dict[str, Any]]:
    try:
        return read(stacks)
    except Exception as exc:  # noqa: BLE001 - threads are still worth telling
        faults.append(f"{read.__module__.rpartition('.')[2]}: {type(exc).__name__}: {exc}")
        return []
