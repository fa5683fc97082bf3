"""A worker of gunicorn that is at a prompt, or waits for one, is not taken for dead by its master.

The master kills who doesn't touch a file of theirs within ``--timeout`` (30 s by default), and a
worker does that between two requests, or in its event loop: both stand still at a prompt. So we
touch it, for as long as a turn at the terminal takes, and no longer.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

#: A timeout is a number of seconds, and not less than one.
_BEAT_S = 0.3


class Heartbeat:
    """Of one thread's turns."""

    def __init__(self) -> None:
        self._is_over = threading.Event()

    def begin(self) -> None:
        """Beat until ``end``, if the caller's thread is working for gunicorn."""
        base = sys.modules.get("gunicorn.workers.base")
        worker = _worker(sys._getframe(1), getattr(base, "Worker", None))
        if worker is None:
            return
        over = self._is_over = threading.Event()
        try:
            threading.Thread(
                target=_beat, args=(worker, over), name="treetap heartbeat", daemon=True
            ).start()
        except RuntimeError:
            pass  # no thread can be had: the master's limit holds

    def end(self) -> None:
        """Idempotent."""
        self._is_over.set()

    def drop(self) -> None:
        """In a forked child: the thread is the parent's, which may hold the event's lock."""
        self._is_over = threading.Event()


def _beat(worker: Any, over: threading.Event) -> None:
    try:
        while True:
            worker.tmp.notify()
            if over.wait(_BEAT_S):
                return
    except Exception:  # noqa: BLE001 - the file is gone, or it is another gunicorn than we know
        return


def _worker(frame: FrameType | None, kind: Any) -> Any:
    """The worker whose method is the nearest on the way to ``frame``; ``None`` if there is none."""
    while frame is not None and isinstance(kind, type):
        code = frame.f_code
        if code.co_varnames[:1] == ("self",) and code.co_argcount:
            owner = frame.f_locals.get("self")
            if issubclass(type(owner), kind):  # isinstance() asks an object of the user's
                return owner
        frame = frame.f_back
    return None
