"""3.11 only: reaching a frame that runs already, by tracing its thread for a while.

A frame can't be made to run other code, and 3.11 has no ``sys.monitoring``. What it has is a trace
function for each thread. Ours is set on the threads that have such a frame on their stack, and taken off
when the frame returns, at a ctrl-c, or after ``MAX_TRACED_S``: a traced thread runs four to five times slower, so the
probe says that it is so. A thread that somebody else traces (a debugger, coverage) is left alone.

The interpreter sets a trace function for the calling thread alone (``sys.settrace``), so the internal
``_PyEval_SetTrace``, which takes the thread, is called through ctypes. Where the fields of a thread
state lie is found by trying it out on our own; where that fails, running frames are not reached,
and the probe says that instead.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from time import monotonic

from treetap.errors import DebuggerError
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
_THREAD_STATE_BYTES = 400
_POINTER_BYTES = ctypes.sizeof(ctypes.c_void_p)

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
        self._layout: _Layout | None = None
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
            self._layout = _find_layout()
        layout = self._layout
        if layout is None:
            raise DebuggerError(
                "Frames that run already can't be reached in this interpreter.",
                "Calls that begin from now on are; 3.12 and later reach all frames.",
                slug="tracing-unavailable",
            )
        state = _thread_states(layout).get(thread)
        if state is None:
            return
        tracer = ctypes.c_void_p.from_address(state + layout.tracer_offset).value
        ours = ctypes.cast(self._callback, ctypes.c_void_p).value
        if tracer not in (None, 0, ours):
            raise DebuggerError(
                "Another tool traces the thread that runs this code.",
                "End the debugger or the coverage run, or use 3.12 or later.",
                slug="tracing-unavailable",
            )
        # Before it begins, for its first event asks.
        self._traced[thread] = monotonic() + MAX_TRACED_S
        ctypes.pythonapi._PyEval_SetTrace(ctypes.c_void_p(state), self._callback, None)

    def _let_go(self) -> None:
        """Stop tracing once nothing is wanted any more."""
        if self._sites or self._layout is None:
            return
        states = _thread_states(self._layout)
        ours = ctypes.cast(self._callback, ctypes.c_void_p).value
        for thread in list(self._traced):
            state = states.get(thread)
            if state is None:
                continue
            tracer = ctypes.c_void_p.from_address(state + self._layout.tracer_offset).value
            if tracer == ours:
                ctypes.pythonapi._PyEval_SetTrace(ctypes.c_void_p(state), None, None)
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


class _Layout:
    """Where a thread state has its thread's id, and its C trace function."""

    def __init__(self, thread_offset: int, tracer_offset: int) -> None:
        self.thread_offset = thread_offset
        self.tracer_offset = tracer_offset


def _own_state() -> int:
    get = ctypes.pythonapi.PyThreadState_Get
    get.restype = ctypes.c_void_p
    state: int = get()
    return state


def _find_layout() -> _Layout | None:
    """Look for two values that we know in our own thread state."""
    if not hasattr(ctypes.pythonapi, "_PyEval_SetTrace"):
        return None
    state = _own_state()

    def trial(_frame: FrameType, _event: str, _argument: Any) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(trial)
    words = _words(state)
    sys.settrace(before)
    try:
        thread_at = words.index(threading.get_ident())
        # c_profilefunc, c_tracefunc, c_profileobj, c_traceobj follow each other (cpython/pystate.h).
        tracer_at = words.index(id(trial)) - 2
    except ValueError:
        return None
    return _Layout(thread_at * _POINTER_BYTES, tracer_at * _POINTER_BYTES)


def _words(state: int) -> list[int | None]:
    count = _THREAD_STATE_BYTES // _POINTER_BYTES
    return list((ctypes.c_size_t * count).from_address(state))


def _thread_states(layout: _Layout) -> dict[int, int]:
    """``{thread id: address of its state}``. The GIL is held, so none comes or goes meanwhile."""
    api = ctypes.pythonapi
    api.PyInterpreterState_Get.restype = ctypes.c_void_p
    api.PyInterpreterState_ThreadHead.restype = ctypes.c_void_p
    api.PyThreadState_Next.restype = ctypes.c_void_p
    states = {}
    interpreter = ctypes.c_void_p(api.PyInterpreterState_Get())
    state = api.PyInterpreterState_ThreadHead(interpreter)
    while state:
        states[ctypes.c_size_t.from_address(state + layout.thread_offset).value] = state
        state = api.PyThreadState_Next(ctypes.c_void_p(state))
    return states
