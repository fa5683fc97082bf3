"""The asyncio tasks of a process, by loop; also those of anyio and uvloop, which are asyncio's.

asyncio's tasks don't know their parents. They are found by what ties them to another task: a task
group, by its callback; ``gather``, ``wait``, ``wait_for`` and a plain ``await``, by the future that
the other one waits for. What is tied to nobody is on top.

A task may be of the program's own making: of one that can't be read the rest is told. What its callbacks
hold may be anything: that is asked for nothing.
"""

from __future__ import annotations

import sys
from functools import partial
from inspect import getattr_static
from operator import methodcaller
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from treetap.stack import task as tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from types import FrameType

    from treetap.stack.thread import Stack

_ANYIO_MODULE = "anyio._backends._asyncio"
#: A weak set that grows while it is read is read again; not for ever.
_MAX_ATTEMPTS = 100

_IS_DONE, _NAME, _LOOP = map(methodcaller, ("done", "get_name", "get_loop"))


def loops(stacks: dict[int, Stack]) -> list[dict[str, Any]]:
    """Every loop that has tasks or runs: ``thread`` (0 while it runs in none) and ``tasks``.

    Args:
        stacks: By the thread's ident.
    """
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or not hasattr(asyncio, "tasks"):
        return []
    by_loop: dict[int, tuple[Any, list[Any]]] = {}
    for stack in stacks.values():
        for loop in _running_loops(stack.frames):
            by_loop.setdefault(id(loop), (loop, []))
    for task in _known_tasks(asyncio, [loop for loop, _tasks in by_loop.values()]):
        loop = _tried(_LOOP, task)
        by_loop.setdefault(id(loop), (loop, []))[1].append(task)
    return [_told(loop, found, stacks) for loop, found in by_loop.values()]


def _running_loops(stack: list[FrameType]) -> list[Any]:
    found: list[Any] = []
    for frame in stack:
        is_own = frame.f_code.co_name == "run_forever"
        if is_own and frame.f_globals.get("__name__") == "asyncio.base_events":
            found.append(frame.f_locals.get("self"))
    return [loop for loop in found if loop is not None]


def _known_tasks(asyncio: Any, running: list[Any]) -> list[Any]:
    """All tasks that aren't done, each once, in the order of their birth where that can be told."""
    found: dict[int, Any] = {}
    for name in ("_scheduled_tasks", "_eager_tasks", "_all_tasks"):
        for task in _copied(getattr(asyncio.tasks, name, ())):
            found[id(task)] = task
    for loop in running:
        # None where it changes faster than it can be read.
        found.update((id(task), task) for task in _tried(asyncio.all_tasks, loop) or ())
    living = [task for task in found.values() if not _tried(_IS_DONE, task)]
    return sorted(living, key=_age)


def _tried(read: Callable[..., Any], *given: Any) -> Any:
    """What ``read`` returns; ``None`` if it raises."""
    try:
        return read(*given)
    except Exception:  # noqa: BLE001 - the program's
        return None


def _age(task: Any) -> tuple[int, str]:
    """By the number in the name that asyncio gives: its sets have no order."""
    name = str(_tried(_NAME, task))
    number = name.removeprefix("Task-")
    return (int(number), "") if number.isdecimal() and len(number) < 19 else (sys.maxsize, name)


def _copied(tasks: Any) -> list[Any]:
    for _ in range(_MAX_ATTEMPTS):
        try:
            return list(tasks)
        except RuntimeError:
            continue
    return []


def _told(loop: Any, found: list[Any], stacks: dict[int, Stack]) -> dict[str, Any]:
    ident = getattr(loop, "_thread_id", None) or 0
    stack = stacks[ident].frames if ident in stacks else []
    children, tops = _families(found)

    def tell(task: Any) -> tasks.Row:
        waiter = getattr(task, "_fut_waiter", None)
        state = tasks.READY if waiter is None or waiter.done() else tasks.WAITS
        is_cancelled = task.cancelling() > 0
        return tasks.row(
            str(task.get_name()), state, task.get_coro(), stack, is_cancelled=is_cancelled
        )

    rows, left_out = tasks.rows(tops, tell, lambda task: [children.get(id(task), ())])
    return {"kind": "asyncio", "thread": ident, "tasks": rows, "left_out": left_out}


def _families(found: list[Any]) -> tuple[dict[int, Collection[Any]], list[Any]]:
    """``{id of a task: its children}``, and those that have no parent."""
    living = {id(task): task for task in found}
    waiters = {
        id(waiter): task
        for task in found
        if (waiter := _tried(getattr, task, "_fut_waiter")) is not None
    }
    parents: dict[int, int] = {}
    for task in found:
        parent = _tried(_parent, task, waiters, living)
        if parent is not None and not _is_below(parent, id(task), parents):
            parents[id(task)] = parent
    children: dict[int, list[Any]] = {}
    for task in found:
        if id(task) in parents:
            children.setdefault(parents[id(task)], []).append(task)
    return children, [task for task in found if id(task) not in parents]  # type: ignore[return-value]


def _is_below(task: int, other: int, parents: dict[int, int]) -> bool:
    """Whether ``other`` is ``task`` or above it: two tasks may wait for each other."""
    here: int | None = task
    while here is not None:
        if here == other:
            return True
        here = parents.get(here)
    return False


def _parent(task: Any, waiters: dict[int, Any], living: dict[int, Any]) -> int | None:
    for tie in _ties(task):
        owner = getattr_static(tie, "_parent_task", None)  # a task group's
        owner = waiters.get(id(tie)) if owner is None else owner
        if owner is not None and owner is not task and id(owner) in living:
            return id(owner)
    anyio = sys.modules.get(_ANYIO_MODULE)
    state = getattr(anyio, "_task_states", {}).get(task) if anyio is not None else None
    parent = getattr(state, "parent_id", None)
    return parent if parent in living and parent != id(task) else None


def _ties(task: Any) -> Iterator[Any]:
    """What may tie ``task`` to another one: itself, and what its callbacks hold."""
    yield task
    for entry in list(getattr(task, "_callbacks", None) or ()):
        callback = entry[0] if isinstance(entry, tuple) else entry
        if type(callback) is MethodType:
            yield callback.__self__
        elif type(callback) is partial:
            yield from callback.args
        elif type(callback) is FunctionType:
            yield from _held(callback)


def _held(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            pass  # empty
