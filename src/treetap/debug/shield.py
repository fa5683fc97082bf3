"""SIGINT while one of this process's threads waits for the terminal or holds it.

Signal handlers are one a process, so this is one of its slots. The terminal itself sends no signal
while a prompt reads (``terminal.reading``), so what comes then was sent by hand: it is named in one
line, kept back, and delivered when nobody of this process waits or holds any more.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from treetap.debug.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

#: How long a thread waits for the main one to set the handler; it may be in C code for long.
_MAIN_THREAD_S = 0.02


class Shielded(Protocol):
    """Who waits or holds."""

    def take_interrupt(self, frame: FrameType | None) -> bool:
        """Whether the signal was for this one: the key, pressed at its prompt."""

    def name_holder(self) -> str:
        """Who is at the prompt, for the one line."""


class Shield:
    """The process's SIGINT handler, while it is needed."""

    def __init__(self) -> None:
        self._users: list[Shielded] = []
        self._former: Any = None
        self._is_on = False
        self._is_kept_back = False
        self._calls: list[Any] = []
        self._wakeup = Wakeup()

    @property
    def is_on(self) -> bool:
        """Our handler is set: it isn't where the main thread is in C code, or its handler is C's."""
        return self._is_on

    def enter(self, user: Shielded) -> None:
        self._users.append(user)
        if not self._is_on:
            self._in_main_thread(self._settle)

    def leave(self, user: Shielded) -> None:
        """``user`` is done; the last one takes the handler away, and what was kept back is sent."""
        self._users.remove(user)
        if not self._users and self._is_on:
            self._in_main_thread(self._settle)

    def keep_back(self) -> None:
        """Send SIGINT once all is over; at once if it is."""
        if self._users:
            self._is_kept_back = True
        else:
            os.kill(os.getpid(), signal.SIGINT)

    def start_over_in_child(self) -> None:
        """In a forked child nobody waits or holds; its one thread is the main thread."""
        self._users = []
        self._is_kept_back = False
        self._settle()

    def _settle(self) -> None:
        """Set or take away the handler, as it is needed now; in the main thread."""
        if self._users and not self._is_on:
            former = signal.getsignal(signal.SIGINT)
            if former is None:
                return  # of C, and couldn't be set again
            self._former = former
            signal.signal(signal.SIGINT, self._handle)
            self._wakeup.divert()
            self._is_on = True
        elif not self._users and self._is_on:
            self._is_on = False
            self._wakeup.restore()
            # What the program has set meanwhile is the program's.
            if signal.getsignal(signal.SIGINT) == self._handle:
                signal.signal(signal.SIGINT, self._former)
            if self._is_kept_back:
                self._is_kept_back = False
                os.kill(os.getpid(), signal.SIGINT)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._users:
            # The last one has left in another thread, and this one hadn't time yet.
            if callable(self._former):
                self._former(number, frame)
            elif self._former == signal.SIG_DFL:
                self._settle()
                os.kill(os.getpid(), signal.SIGINT)
            return
        if any(user.take_interrupt(frame) for user in list(self._users)):
            return
        self._is_kept_back = True
        line = f"treetap: SIGINT is kept back until {self._users[0].name_holder()} has continued.\n"
        try:
            os.write(2, line.encode())
        except OSError:
            pass

    def _in_main_thread(self, act: Callable[[], None]) -> None:
        if threading.current_thread() is threading.main_thread():
            act()
            return
        try:
            import ctypes
        except ImportError:
            return
        done = threading.Event()

        def call(_argument: object) -> int:
            act()
            done.set()
            return 0

        pending = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(call)
        self._calls = [*self._calls[-8:], pending]  # it may be called late
        ctypes.pythonapi.Py_AddPendingCall(pending, None)
        if done.wait(_MAIN_THREAD_S) or (_wake_loop() and done.wait(_MAIN_THREAD_S)):
            return
        if _interrupt_call():
            done.wait(_MAIN_THREAD_S)


def _wake_loop() -> bool:
    """Have an asyncio loop in the main thread turn once, if there is one that waits for something."""
    tasks: Any = sys.modules.get("asyncio.tasks")
    main = threading.main_thread().ident
    try:
        for task in list(getattr(tasks, "_scheduled_tasks", getattr(tasks, "_all_tasks", ()))):
            loop = task.get_loop()
            if getattr(loop, "_thread_id", None) == main:
                loop.call_soon_threadsafe(int)  # which does nothing
                return True
    except Exception:  # noqa: BLE001 - a set that changes meanwhile, a loop that is closed
        pass
    return False


def _interrupt_call() -> bool:
    """Have the main thread look up from a lock that it waits for, as in ``join()``; whether it may.

    A wait that a signal interrupts goes on by itself, after what is pending. The signal is one that
    means nothing, and its handler does nothing, in C: Python's can't be set from here.
    """
    number = signal.SIGURG
    if signal.getsignal(number) is not signal.SIG_DFL:
        return False
    import ctypes

    libc = ctypes.CDLL(None)
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    libc.signal.restype = ctypes.c_void_p
    former = libc.signal(number, ctypes.cast(libc.abs, ctypes.c_void_p))
    try:
        signal.siginterrupt(number, True)
        signal.pthread_kill(threading.main_thread().ident or 0, number)
        time.sleep(_MAIN_THREAD_S)  # it is to arrive while the handler is there
    finally:
        libc.signal(number, former)
    return True


shield = Shield()
