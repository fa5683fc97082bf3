"""3.11 only: thread states of the interpreter, which has no other way to reach another thread's tracer.

The interpreter sets a trace function for the calling thread alone (``sys.settrace``), so the internal
``_PyEval_SetTrace``, which takes the thread, is called through ctypes. Where the fields of a thread
state lie is found by trying it out on our own.
"""

from __future__ import annotations

import ctypes
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_THREAD_STATE_BYTES = 400
_POINTER_BYTES = ctypes.sizeof(ctypes.c_void_p)


class Layout:
    """Where a thread state has its thread's id, and its C trace function."""

    def __init__(self, thread_offset: int, tracer_offset: int) -> None:
        self.thread_offset = thread_offset
        self.tracer_offset = tracer_offset

    def tracer_of(self, state: int) -> int:
        """Address of the C function that traces a thread; 0 for none."""
        return ctypes.c_void_p.from_address(state + self.tracer_offset).value or 0

    def tracing_object_of(self, state: int) -> Any:
        """What that function is called with: the one given to ``sys.settrace``; else ``None``."""
        # c_profilefunc, c_tracefunc, c_profileobj, c_traceobj follow each other (cpython/pystate.h).
        place = state + self.tracer_offset + 2 * _POINTER_BYTES
        if not ctypes.c_void_p.from_address(place).value:
            return None
        return ctypes.py_object.from_address(place).value


def set_tracer(state: int, tracer: Any, tracing_object: Any = None) -> None:
    """Have the thread of ``state`` traced.

    Args:
        state: Address of its thread state.
        tracer: A callback of ctypes, or the address of a C function; ``None`` for none.
        tracing_object: What that is called with.
    """
    given = None if tracing_object is None else ctypes.py_object(tracing_object)
    if isinstance(tracer, int):
        tracer = ctypes.c_void_p(tracer)
    ctypes.pythonapi._PyEval_SetTrace(ctypes.c_void_p(state), tracer, given)


def find_layout() -> Layout | None:
    """Look for two values that we know in our own thread state; ``None`` if they aren't there."""
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
        tracer_at = words.index(id(trial)) - 2
    except ValueError:
        return None
    return Layout(thread_at * _POINTER_BYTES, tracer_at * _POINTER_BYTES)


def thread_states(layout: Layout) -> dict[int, int]:
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


def _own_state() -> int:
    get = ctypes.pythonapi.PyThreadState_Get
    get.restype = ctypes.c_void_p
    state: int = get()
    return state


def _words(state: int) -> list[int | None]:
    count = _THREAD_STATE_BYTES // _POINTER_BYTES
    return list((ctypes.c_size_t * count).from_address(state))
