"""Starting a thread of ours: not by ``threading``, whose table of threads is the program's.

A process may end the moment after. On 3.11 the interpreter frees the state of a thread that has not
begun to run by then, and the thread crashes on it; so a start is over when the thread runs.
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


def start(run: Callable[..., Any], *arguments: Any) -> None:
    """Call ``run`` in a new daemon thread; returns once that runs.

    Raises:
        RuntimeError: No thread can be started: there are too many, or 3.12 is ending.
    """
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
