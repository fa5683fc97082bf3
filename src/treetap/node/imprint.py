"""What debugpy changes in a process, and how that is taken back.

debugpy is made to be there until the process ends. Its own ``pydevd.stoptrace`` ends the tracing of
the calling thread (3.11) or frees its tool id (3.12+), and leaves the rest: other threads' tracers,
the events of each code object, patched functions of ``threading``, its hook for ``breakpoint()``,
the standard streams in their wrappers, a second ``listen`` forbidden. So what it may touch is noted
before, and put back after: each thing that is debugpy's at that moment, and nothing that somebody
else has put there meanwhile. Seen on debugpy 1.8 with CPython 3.11, 3.12 and 3.13.
"""

from __future__ import annotations

import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

#: Where debugpy's code comes from, by the first parts of its modules' names.
_THEIRS = ("debugpy", "pydevd", "_pydevd", "_pydev", "pydev")

#: What is looked at in ``sys``; the rest of it changes all the time.
_SYS = ("breakpointhook", "displayhook", "excepthook", "settrace", "stderr", "stdin", "stdout")
#: Modules that are looked at as a whole.
_MODULES = ("_posixsubprocess", "_thread", "builtins", "os", "subprocess", "threading")
#: What debugpy leaves in ``_thread`` and ``threading`` under names that weren't there.
_STARTERS = (
    "_original_start_joinable_thread",
    "_original_start_new_thread",
    "_start_joinable_thread",
    "_start_new_thread",
    "start_joinable_thread",
    "start_new",
    "start_new_thread",
)
#: Functions whose code it exchanges in place, to hide its threads.
_RECODED = ("active_count", "enumerate", "_pickSomeNonDaemonThread")

_MISSING = object()


class Imprint:
    """What the process was like before a debug port was opened. Made by who is about to open one."""

    def __init__(self) -> None:
        self._modules = {
            name: dict(vars(sys.modules[name])) for name in _MODULES if name in sys.modules
        }
        self._sys = {name: getattr(sys, name) for name in _SYS}
        self._codes = {
            name: getattr(threading, name).__code__ for name in _RECODED if hasattr(threading, name)
        }
        self._trace_hook: Any = threading.gettrace()
        self._threads = set(threading._active)  # type: ignore[attr-defined]
        self._tracers = Tracers() if sys.version_info < (3, 12) else None

    def changed_codes(self) -> dict[str, CodeType]:
        """The codes of functions that have been exchanged since; debugpy does that only once."""
        return {
            name: getattr(threading, name).__code__
            for name, code in self._codes.items()
            if getattr(threading, name).__code__ is not code
        }

    def take_back(self, own_threads: set[int]) -> None:
        """Put everything back that is debugpy's.

        Args:
            own_threads: Identifiers of threads that have no ``Thread``, and shall have none.
        """
        if self._tracers is not None:
            self._tracers.put_back()
        if is_theirs(threading.gettrace()):
            threading.settrace(self._trace_hook)
        for name, code in self._codes.items():
            getattr(threading, name).__code__ = code
        for name, value in self._sys.items():
            if is_theirs(getattr(sys, name)):
                setattr(sys, name, value)
        for name, before in self._modules.items():
            _put_back(sys.modules[name], before)
        self._forget_threads(own_threads)

    def _forget_threads(self, own_threads: set[int]) -> None:
        """``Thread`` objects that it made for threads without one, and what it put on the others."""
        living = sys._current_frames()
        infos = []
        with threading._active_limbo_lock:  # type: ignore[attr-defined]
            active = threading._active  # type: ignore[attr-defined]
            for identifier, thread in list(active.items()):
                is_made = isinstance(thread, threading._DummyThread)
                is_new = is_made and identifier not in self._threads
                if is_theirs(vars(thread).get("additional_info")):
                    infos.append(thread.additional_info)
                    del thread.additional_info
                if is_new and (identifier in own_threads or identifier not in living):
                    del active[identifier]
        theirs: Any = sys.modules.get("_pydevd_bundle.pydevd_additional_thread_info")
        for each in infos:
            theirs.remove_additional_info(each)  # or it would keep the whole debugger


class Tracers:
    """3.11 only: who traces each thread."""

    def __init__(self) -> None:
        from treetap.probe import threadstate

        self._layout = layout = threadstate.find_layout()
        self._before: dict[int, tuple[int, Any]] = {}
        if layout is not None:
            self._before = {
                thread: (layout.tracer_of(state), layout.tracing_object_of(state))
                for thread, state in threadstate.thread_states(layout).items()
                if layout.tracer_of(state)
            }

    def theirs(self) -> dict[int, int]:
        """``{thread id: address of its state}`` of the threads that debugpy traces."""
        from treetap.probe import threadstate

        layout = self._layout
        if layout is None:
            return {}
        return {
            thread: state
            for thread, state in threadstate.thread_states(layout).items()
            if layout.tracer_of(state) and is_theirs(layout.tracing_object_of(state))
        }

    def put_back(self) -> None:
        """Take debugpy's tracers off, and put those back that were there before."""
        from treetap.probe import threadstate

        for thread, state in self.theirs().items():
            tracer, tracing_object = self._before.get(thread, (None, None))
            threadstate.set_tracer(state, tracer, tracing_object)
        # In the frames as well: whoever traces later would meet them there.
        for frame in sys._current_frames().values():
            each: Any = frame
            while each is not None:
                if is_theirs(each.f_trace):
                    each.f_trace = None
                each = each.f_back


def is_theirs(value: Any) -> bool:
    """Whether ``value`` is debugpy's: a function, a method, a partial or an object of its classes."""
    if value is None:
        return False
    kind = type(value)
    if kind.__name__ == "partial" and kind.__module__ == "functools":
        return is_theirs(value.func)
    if kind.__name__ in ("method", "builtin_function_or_method", "method-wrapper"):
        return is_theirs(value.__self__) or is_theirs(getattr(value, "__func__", None))
    if kind.__name__ in ("function", "cython_function_or_method"):
        module = value.__module__
    else:
        module = kind.__module__
    return isinstance(module, str) and module.partition(".")[0].startswith(_THEIRS)


def _put_back(module: Any, before: dict[str, Any]) -> None:
    names = vars(module)
    for name, value in list(names.items()):
        old = before.get(name, _MISSING)
        if value is old or not (is_theirs(value) or _is_left(module, name)):
            continue
        if old is _MISSING:
            delattr(module, name)
        else:
            setattr(module, name, old)


def _is_left(module: Any, name: str) -> bool:
    if module.__name__ in ("_thread", "threading"):
        return name in _STARTERS
    return name.startswith("original_")  # of `pydev_monkey`, beside each function that it replaces
