"""The trio tasks of a process: each run is found on the stack of the thread that it is in.

trio has no public way to ask for a run of another thread; the names that are used here are looked for,
and where they aren't there is no tree.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from treetap.stack import task as tasks

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import FrameType

    from treetap.stack.thread import Stack

_RUN_MODULE = "trio._core._run"
#: The functions of it in which a run is known.
_ENTRIES = ("run", "guest_tick", "get_events")


def runs(stacks: dict[int, Stack]) -> list[dict[str, Any]]:
    """Every run of trio: ``thread`` and the rows of its ``tasks``.

    Args:
        stacks: By the thread's ident.
    """
    module = sys.modules.get(_RUN_MODULE)
    kind = getattr(module, "Runner", None)
    found: dict[int, dict[str, Any]] = {}
    for ident, stack in stacks.items():
        runner = _runner(stack.frames, kind) if kind is not None else None
        if runner is not None and id(runner) not in found:
            init = getattr(runner, "init_task", None)
            if init is not None:
                found[id(runner)] = _told(runner, init, ident, stack.frames)
    return list(found.values())


def _runner(stack: list[FrameType], kind: type) -> Any:
    """The one that a thread runs; ``None`` if it runs none.

    Until 3.12 a frame keeps what is read of its variables until it ends. These hold on to nothing of a
    task's; the loop's own frame, within them, would.
    """
    for frame in stack:
        if frame.f_globals.get("__name__") == _RUN_MODULE and frame.f_code.co_name in _ENTRIES:
            known = frame.f_locals
            # In guest mode it is the state's, which a thread that waits for events knows.
            for candidate in (known.get("runner"), getattr(known.get("self"), "runner", None)):
                if isinstance(candidate, kind):
                    return candidate
    return None


def _told(runner: Any, init: Any, ident: int, stack: list[FrameType]) -> dict[str, Any]:
    ready = {id(task) for task in list(runner.runq)}

    def tell(task: Any) -> tasks.Row:
        state = tasks.READY if id(task) in ready else tasks.WAITS
        status = getattr(task, "_cancel_status", None)
        is_cancelled = bool(getattr(status, "effectively_cancelled", False))
        return tasks.row(str(task.name), state, task.coro, stack, is_cancelled=is_cancelled)

    rows, left_out = tasks.rows([init], tell, _families)
    return {"kind": "trio", "thread": ident, "tasks": rows, "left_out": left_out}


def _families(task: Any) -> list[Collection[Any]]:
    # A nursery's own set has no order; they are told in that of their birth.
    return [sorted(nursery.child_tasks, key=_age) for nursery in list(task.child_nurseries)]


def _age(task: Any) -> int:
    return getattr(task, "_counter", 0)
