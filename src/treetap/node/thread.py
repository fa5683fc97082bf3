"""Starting a thread of ours: not by ``threading``, whose table of threads is the program's.

A process may end the moment after. On 3.11 the interpreter frees the state of a thread that has not
begun to run by then, and the thread crashes on it (seen on 3.11.2); so a start is over when the
thread runs, and a process that ends waits for starts under way in other threads, and has no others.
3.12 starts none once it has begun to end, before ``atexit`` even: whoever must work then does it in
the thread that it is in (seen on 3.12.1; 3.11 and 3.13 let it be).
"""

from __future__ import annotations

import _thread
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Roll:
    """The threads of ours that live in this process."""

    def __init__(self) -> None:
        # Single operations of a set are atomic, and a thread comes and goes under its own key.
        self.living: set[object] = set()
        self.last_end_s = 0.0
        # Held by a start. Reentrant, for a signal's handler may start one in the middle of one.
        self.starting = _thread.RLock()
        self.is_over = False

    def leave(self, key: object) -> None:
        self.last_end_s = time.monotonic()
        self.living.discard(key)


_roll = _Roll()


def count() -> int:
    """How many threads of ours live in this process."""
    return len(_roll.living)


def has_just_ended(within_s: float) -> bool:
    """Whether one has ended so lately that the kernel may count it still."""
    return time.monotonic() - _roll.last_end_s < within_s


def forget_all() -> None:
    """After a fork, in the child: none of them is here."""
    _roll.living.clear()
    _roll.starting = _thread.RLock()


def start_no_more() -> None:
    """The process ends: wait for starts under way, and refuse those to come."""
    with _roll.starting:
        _roll.is_over = True


def start(run: Callable[..., Any], *arguments: Any) -> None:
    """Call ``run`` in a new daemon thread; returns once that runs.

    Raises:
        RuntimeError: No thread can be started: there are too many, or the process is ending.
    """
    with _roll.starting:
        if _roll.is_over:
            raise RuntimeError("no thread is started by a process that ends")
        _start(run, arguments)


def _start(run: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    begun = _thread.allocate_lock()
    begun.acquire()

    def begin() -> None:
        begun.release()
        try:
            run(*arguments)
        finally:
            _roll.leave(begun)

    _roll.living.add(begun)
    try:
        _thread.start_new_thread(begin, ())
    except BaseException:
        _roll.leave(begun)
        raise
    begun.acquire()
