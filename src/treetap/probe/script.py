"""Arming in the main script: ``python app.py`` is compiled and run without any import.

What waits for it is put in when its code object first shows: as the outermost frame of the main
thread. A trace function sees that frame begin, before its first line; it is set only from the start-up
of the interpreter to that moment, and only while something waits.
"""

from __future__ import annotations

import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType, FrameType
    from typing import Any

    from treetap.model.location import Location


class ScriptWatch:
    """Calls back with the main script's code when it begins.

    Args:
        on_code: Takes the code object, whose frame has not run a line yet.
    """

    def __init__(self, on_code: Callable[[CodeType], None]) -> None:
        self._on_code = on_code
        self._is_watching = False
        self._is_over = False
        # `sys.settrace` compares nothing; we do, so there must be one object.
        self._trace_once = self._trace

    def watch(self, locations: Iterable[Location]) -> None:
        """Wait for the script if any of these may be in it; none ends the wait."""
        is_waiting = any(True for _location in locations)
        if get_ident() != _main_thread():
            # A thread can take off its own trace function alone: the main one will, at its next call.
            self._is_over = not is_waiting
            return
        self._is_over = False
        wants = is_waiting and not _has_begun()
        if wants and not self._is_watching and sys.gettrace() is None:
            self._is_watching = True
            sys.settrace(self._trace_once)
        elif not wants:
            self._stop()

    def _stop(self) -> None:
        if self._is_watching and sys.gettrace() is self._trace_once:
            sys.settrace(None)
        self._is_watching = False

    def _trace(self, frame: FrameType, _event: str, _argument: Any) -> None:
        if self._is_over:
            self._stop()
            return
        if frame.f_back is not None:
            return
        code = frame.f_code
        if code.co_name == "<module>" or not code.co_filename.startswith("<frozen"):
            self._stop()
        if code.co_name == "<module>":
            try:
                self._on_code(code)
            except Exception:
                pass


def _main_thread() -> int:
    """The id of the thread that runs the script: the one that has been there longest.

    ``threading`` would take 4 ms to import; imported in another thread, 3.11 and 3.12 take that one for
    the main thread from then on. The interpreter lists a new thread before all others (``pystate.c``).
    """
    *_younger, oldest = sys._current_frames()
    return oldest


def _has_begun() -> bool:
    """Whether the main script runs already."""
    main = sys.modules.get("__main__")
    return main is None or "__file__" in vars(main)
