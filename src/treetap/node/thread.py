"""Starting a thread of ours: not by ``threading``, whose table of threads is the program's.

A process may end the moment after. On 3.11 the interpreter frees the state of a thread that has not
begun to run by then, and the thread crashes on it (seen on 3.11.2); so a start is over when the
thread runs, and a process that ends waits for starts under way in other threads, and has no others.
3.12 starts none once it has begun to end, before ``atexit`` even: whoever must work then does it in
the thread that it is in (seen on 3.12.1; 3.11 and 3.13 let it be).
"""

from __future__ import annotations

import _frozen_importlib
import _thread
import sys
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
        #: The identifiers of those that have begun to run.
        self.running: set[int] = set()
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


def identifiers() -> set[int]:
    """Of those that have begun to run."""
    return set(_roll.running)


def has_just_ended(within_s: float) -> bool:
    """Whether one has ended so lately that the kernel may count it still."""
    return time.monotonic() - _roll.last_end_s < within_s


def forget_all() -> None:
    """After a fork, in the child: none of them is here, and nor is what they were importing."""
    _forget_imports(_roll.running - {_thread.get_ident()})
    _roll.living.clear()
    _roll.running.clear()
    _roll.starting = _thread.RLock()


def _forget_imports(threads: set[int]) -> None:
    """Have whoever needs it import anew what these threads were importing.

    A module's lock that another thread held stays locked in the child for ever: whoever imports
    that module there waits for ever, be it our shipper, be it the program. CPython leaves that to
    those who fork with threads; here the threads are ours.
    """
    # Inside of the import system, so nothing counts on what is found there.
    locks = getattr(_frozen_importlib, "_module_locks", {})
    for name, reference in list(locks.items()):
        if getattr(reference(), "owner", None) not in threads:
            continue
        locks.pop(name, None)
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if getattr(spec, "_initializing", False):
            del sys.modules[name]


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
        identifier = _thread.get_ident()
        _roll.running.add(identifier)
        begun.release()
        try:
            run(*arguments)
        finally:
            _roll.running.discard(identifier)
            _roll.leave(begun)

    _roll.living.add(begun)
    try:
        # A debugger puts its own function in the place of this one, and would stop our threads too.
        starts = getattr(_thread, "_original_start_new_thread", _thread.start_new_thread)
        starts(begin, ())
    except BaseException:
        _roll.leave(begun)
        raise
    begun.acquire()
