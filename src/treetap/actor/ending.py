"""What SIGTERM and SIGHUP mean to a root while its tree is up, and SIGTERM to an actor.

A root that leaves these signals to their default is ended by them at once, and its tree is then ended
by others. While a nursery is open they end the tree in order: the nurseries are cancelled, with all
that their bodies have to clean up; when the last of them is done the signal has its way, so that the
exit status says what it would have said without us. If that takes too long (the loop is stuck), the
spawner, which was told as the signal came, ends the tree and then the root. A second signal ends the
root at once.

A program that is stuck in C runs no handler of Python's. So the spawner is told by one in C, that of
``faulthandler``, which is called first and says where the program is; the spawner shows that.

A program that has a handler of its own, or ignores a signal, is left alone with it; also one that sets
a handler while a nursery is open, for that takes the place of both of ours.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from treetap.actor.prompts import is_held_here

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from types import FrameType

_NUMBERS = (signal.SIGTERM, signal.SIGHUP)


class Ending:
    """The handlers of one run, while they are needed.

    Args:
        alarm: Written to when a signal has come; ``None`` for an actor, which has its own way.
    """

    def __init__(self, alarm: socket.socket | None) -> None:
        self._alarm = alarm
        self._cancels: list[Callable[[], None]] = []
        self._handled: list[signal.Signals] = []
        self._token: trio.lowlevel.TrioToken | None = None
        self.number = 0

    def enter(self, cancel: Callable[[], None]) -> None:
        """A nursery is open; ``cancel`` is how it is ended."""
        if self._alarm is not None and not self._cancels:
            self._begin()
        self._cancels.append(cancel)
        if self.number:
            cancel()

    def leave(self, cancel: Callable[[], None]) -> None:
        """The nursery is done. If it was the last, and a signal has come, this doesn't return."""
        self._cancels.remove(cancel)
        if self._cancels or self._alarm is None:
            return
        self._restore()
        if self.number:
            os.kill(os.getpid(), self.number)

    def _begin(self) -> None:
        assert self._alarm is not None
        # Elsewhere no handler can be set, nor would it be this run's.
        if threading.current_thread() is not threading.main_thread():
            return
        self._token = trio.lowlevel.current_trio_token()
        for number in _NUMBERS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._handle)
                faulthandler.register(number, self._alarm, all_threads=False, chain=True)
                self._handled.append(number)

    def _restore(self) -> None:
        handled, self._handled = self._handled, []
        for number in handled:
            faulthandler.unregister(number)
            # That put our own handler back, whatever the program has set meanwhile.
            now = signal.getsignal(number)
            signal.signal(number, signal.SIG_DFL if now == self._handle else now)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        """May run in the middle of anything the main thread does, a stuck loop too."""
        assert self._alarm is not None
        assert self._token is not None
        self.number = number
        self._restore()
        try:
            self._alarm.send(b"\n")  # should the handler in C not have been there any more
        except OSError:
            pass
        self._token.run_sync_soon(self._cancel_all)

    def _cancel_all(self) -> None:
        for cancel in list(self._cancels):
            cancel()


@contextmanager
def on_sigterm(act: Callable[[], None]) -> Iterator[None]:
    """For an actor: call ``act`` in the trio loop on SIGTERM; the second SIGTERM is the default's.

    At a prompt the first one is, for that is in the middle of the loop: no supervisor sends one there.
    """
    token = trio.lowlevel.current_trio_token()

    def handle(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if is_held_here():
            os.kill(os.getpid(), number)
            return
        try:
            token.run_sync_soon(act)
        except trio.RunFinishedError:
            pass  # it is ending already

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        # Or a signal that comes as trio ends finds its wakeup socket half closed, and says so.
        signal.set_wakeup_fd(-1)
