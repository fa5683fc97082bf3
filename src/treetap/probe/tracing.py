"""3.11 only: reaching a frame that runs already, by tracing its thread for a while.

A frame can't be made to run other code, and 3.11 has no ``sys.monitoring``. What it has is a trace
function for each thread. Ours is set on the threads that have such a frame on their stack, and taken off
when the frame returns, at a ctrl-c, or after ``MAX_TRACED_S``: a traced thread runs four to five times slower, so the
probe says that it is so. A thread that somebody else traces (a debugger, coverage) is left alone.

Another thread's trace function is reached through its thread state (``threadstate``); where that
fails, running frames are not reached, and the probe says that instead.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from time import monotonic

from treetap.errors import DebuggerError
from treetap.probe import threadstate
from treetap.probe.frames import running_frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

    Hit = Callable[[FrameType], None]

#: Seconds after which a thread is let go, whatever it runs.
MAX_TRACED_S = 60.0

_LINE, _RETURN = 2, 3

_trace_function_type = ctypes.PYFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.py_object, ctypes.c_int, ctypes.c_void_p
)
#: Raises in a thread, when it next looks for signals; takes the thread and an exception's class.
_raise_in = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.py_object)(
    ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
)


class TracingEngine:
    """Arms lines of code objects in the frames that run them at this moment."""

    name = "tracing"

    def __init__(self) -> None:
        self._sites: dict[int, dict[int, tuple[Hit, ...]]] = {}
        self._codes: dict[int, CodeType] = {}
        #: ``{thread id: until when}``.
        self._traced: dict[int, float] = {}
        self._layout: threadstate.Layout | None = None
        # ctypes frees a callback with its object: this one lives as long as the engine.
        self._callback = _trace_function_type(self._on_event)

    def set(self, code: CodeType, hits: dict[int, list[Hit]]) -> None:
        """Have ``hits`` called at the lines of ``code``, in the frames that run it now.

        Raises:
            DebuggerError: This interpreter's threads can't be traced from outside, or another tool
                traces them (slug ``tracing-unavailable``).
        """
        if not hits:
            self._sites.pop(id(code), None)
            self._codes.pop(id(code), None)
            self._let_go()
            return
        self._sites[id(code)] = {line: tuple(of_line) for line, of_line in hits.items()}
        self._codes[id(code)] = code
        on_stack = {thread for thread, frame in running_frames() if frame.f_code is code}
        # A suspended coroutine goes on in a thread that nobody knows yet.
        threads = on_stack or set(sys._current_frames()) - {threading.get_ident()}
        for thread in threads:
            self._trace(thread)

    def close(self) -> None:
        """Take the trace function off every thread."""
        self._sites.clear()
        self._codes.clear()
        self._let_go()

    def _trace(self, thread: int) -> None:
        if self._layout is None:
            self._layout = threadstate.find_layout()
        layout = self._layout
        if layout is None:
            raise DebuggerError(
                "Frames that run already can't be reached in this interpreter.",
                "Calls that begin from now on are; 3.12 and later reach all frames.",
                slug="tracing-unavailable",
            )
        state = threadstate.thread_states(layout).get(thread)
        if state is None:
            return
        tracer = layout.tracer_of(state)
        ours = ctypes.cast(self._callback, ctypes.c_void_p).value
        if tracer not in (0, ours):
            raise DebuggerError(
                "Another tool traces the thread that runs this code.",
                "End the debugger or the coverage run, or use 3.12 or later.",
                slug="tracing-unavailable",
            )
        # Before it begins, for its first event asks.
        self._traced[thread] = monotonic() + MAX_TRACED_S
        threadstate.set_tracer(state, self._callback)

    def _let_go(self) -> None:
        """Stop tracing once nothing is wanted any more."""
        if self._sites or self._layout is None:
            return
        states = threadstate.thread_states(self._layout)
        ours = ctypes.cast(self._callback, ctypes.c_void_p).value
        for thread in list(self._traced):
            state = states.get(thread)
            if state is None:
                continue
            tracer = self._layout.tracer_of(state)
            if tracer == ours:
                threadstate.set_tracer(state, None)
        self._traced.clear()

    def _on_event(self, _self: Any, frame: FrameType, what: int, _argument: Any) -> int:
        try:
            lines = self._sites.get(id(frame.f_code))
            if what == _LINE and lines is not None:
                for hit in lines.get(frame.f_lineno, ()):
                    hit(frame)
            if what == _RETURN:
                self._end_if_due(frame, lines is not None)
            elif monotonic() > self._traced.get(threading.get_ident(), 0.0):
                # A loop that makes no call has no other event.
                self._end()
        except Exception:
            pass
        except BaseException as exc:
            # A ctrl-c. ctypes would print it and drop it: the program gets it, and is traced no more.
            self._end()
            # Not by a plain call: after one the interpreter would raise it here once more.
            [_] = map(_raise_in, (threading.get_ident(),), (type(exc),))
        return 0

    def _end(self) -> None:
        self._traced.pop(threading.get_ident(), None)
        sys.settrace(None)

    def _end_if_due(self, frame: FrameType, is_wanted: bool) -> None:
        is_due = monotonic() > self._traced.get(threading.get_ident(), 0.0)
        if is_wanted and not is_due:
            outer = frame.f_back
            while outer is not None and id(outer.f_code) not in self._sites:
                outer = outer.f_back
            is_due = outer is None and not frame.f_code.co_flags & 0x2A0
        if is_due:
            self._end()
