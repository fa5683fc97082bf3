"""Which task a thread runs, and where a task is that waits. Of trio and asyncio if they are loaded."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType


def current_task() -> Any:
    """The asyncio or trio task that this thread runs; ``None`` if there is none."""
    trio = sys.modules.get("trio")
    if trio is not None:
        try:
            return trio.lowlevel.current_task()
        except (RuntimeError, AttributeError):
            pass
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        try:
            return asyncio.current_task()
        except (RuntimeError, AttributeError):
            pass
    return None


def task_name(task: Any) -> str:
    """What the program calls it; ``""`` for ``None``."""
    if task is None:
        return ""
    get_name = getattr(task, "get_name", None)
    return str(get_name() if callable(get_name) else getattr(task, "name", ""))


def frames(task: Any) -> list[FrameType]:
    """The frames of a task that waits, outermost first."""
    get_coro = getattr(task, "get_coro", None)
    coroutine = get_coro() if callable(get_coro) else getattr(task, "coro", None)
    found: list[FrameType] = []
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            break
        found.append(frame)
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return found
