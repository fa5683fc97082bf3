"""Modules that the user wants imported in the spawner, so that each actor has them at once.

A module that raises, ends its process or starts a thread must not do so in the process that every
actor hangs on. So the import is tried first in a copy that is made for it alone.
"""

from __future__ import annotations

import os
import select
import signal
import sys

from treetap.actor import kernel
from treetap.actor.control import close_all
from treetap.actor.fork import freeze

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treetap.actor.family import Member

    Order = tuple[Member, dict[str, Any], list[int]]

_MAX_TEXT_BYTES = 65536


class Preloading:
    """Orders that wait for modules, and the one rehearsal that goes on."""

    def __init__(self) -> None:
        self._loaded: set[str] = set()
        self._waiting: list[Order] = []
        self._current: _Rehearsal | None = None

    def hold(self, parent: Member, fields: dict[str, Any], descriptors: list[int]) -> bool:
        """Whether an order has to wait for modules to be imported; ``serve`` gives it back."""
        if fields["method"] != "warm" or self._loaded.issuperset(fields["preload"]):
            return False
        self._waiting.append((parent, fields, descriptors))
        if self._current is None:
            self._begin_next()
        return True

    def serve(self, ready: dict[int, int]) -> list[tuple[Order, str]]:
        """Go on with the rehearsal; the orders that it was for, and why it failed if it did."""
        rehearsal = self._current
        if rehearsal is None or rehearsal.descriptor not in ready or not rehearsal.read():
            return []
        failure = rehearsal.outcome()
        if not failure:
            _load(rehearsal.names, rehearsal.path)
            self._loaded.update(rehearsal.names)
            freeze()
        done = [
            order
            for order in self._waiting
            if self._loaded.issuperset(order[1]["preload"])
            or (failure and order[1]["preload"] == rehearsal.names)
        ]
        self._waiting = [order for order in self._waiting if order not in done]
        self._current = None
        self._begin_next()
        return [(order, failure) for order in done]

    def wanted(self) -> list[tuple[int, int]]:
        """What to wait for: descriptors, and for which events."""
        return [] if self._current is None else [(self._current.descriptor, select.POLLIN)]

    def note_end(self, pid: int, status: int) -> None:
        """A child has ended, whichever."""
        if self._current is not None and self._current.pid == pid:
            self._current.status = status

    def pids(self) -> set[int]:
        """Of the processes that are no actors."""
        return set() if self._current is None else {self._current.pid}

    def forget(self, uid: str) -> bool:
        """Drop an order that waits; whether there was one."""
        return self._drop([order for order in self._waiting if order[1]["uid"] == uid])

    def forget_orders_of(self, parent: Member) -> None:
        """Drop what waits for an actor that is no more."""
        self._drop([order for order in self._waiting if order[0] is parent])

    def end(self) -> None:
        """Kill the rehearsal that goes on: nobody waits for it."""
        if self._current is not None and self._current.status is None:
            os.kill(self._current.pid, signal.SIGKILL)

    def _drop(self, orders: list[Order]) -> bool:
        for order in orders:
            close_all(order[2])
            self._waiting.remove(order)
        return bool(orders)

    def _begin_next(self) -> None:
        if self._waiting:
            fields = self._waiting[0][1]
            self._current = _Rehearsal(fields["preload"], fields["path"])


class _Rehearsal:
    """One try, in a process of its own.

    Args:
        names: The modules.
        path: ``sys.path`` to find them on.

    Attributes:
        pid: Of the process.
        status: As ``os.waitpid`` says it; ``None`` until the process has been reaped.
        descriptor: Readable when it has something to say, or has ended.
    """

    def __init__(self, names: list[str], path: list[str]) -> None:
        self.names = names
        self.path = path
        self.status: int | None = None
        self._said = b""
        self.descriptor, writer = os.pipe()
        spawner_pid = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            self._rehearse(writer, spawner_pid)
        os.close(writer)
        os.set_blocking(self.descriptor, False)

    def read(self) -> bool:
        """Take what was said; whether that was all."""
        try:
            chunk = os.read(self.descriptor, 4096)
        except BlockingIOError:
            return False
        self._said = (self._said + chunk)[-_MAX_TEXT_BYTES:]
        if chunk:
            return False
        os.close(self.descriptor)
        return True

    def outcome(self) -> str:
        """Why it failed; ``""`` if it did not."""
        if self._said:
            text = self._said.decode("utf-8", "replace")
            return "" if text == _FINE else text
        names = ", ".join(self.names)
        return f"The process that imported {names} ended in the middle of it."

    def _rehearse(self, writer: int, spawner_pid: int) -> None:
        said = ""
        try:
            kernel.die_with(spawner_pid)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            os.dup2(writer, 3)
            os.dup2(1, 2)  # what it has to say, it says when it is imported in earnest
            os.closerange(4, os.sysconf("SC_OPEN_MAX"))
            _load(self.names, self.path)
            said = _thread_complaint(self.names) or _FINE
        except BaseException:  # noqa: BLE001 - whatever it is, it is told
            import traceback

            said = traceback.format_exc()
        finally:
            os.write(3, said.encode("utf-8", "replace")[-_MAX_TEXT_BYTES:])
            os._exit(0)


_FINE = "fine"


def _load(names: list[str], path: list[str]) -> None:
    import importlib

    sys.path[:] = path
    importlib.invalidate_caches()
    for name in names:
        importlib.import_module(name)


def _thread_complaint(names: list[str]) -> str:
    """Threads in C are their library's own affair; it has hooks for a fork."""
    count = len(sys._current_frames()) - 1
    if not count:
        return ""
    return (
        f"Importing {', '.join(names)} starts {count} Python thread{'s' * (count > 1)}, and a "
        "process with threads can't be forked safely. Leave it out of preload=, or start the "
        'actor with start_method="fresh".'
    )
