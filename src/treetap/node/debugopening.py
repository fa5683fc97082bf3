"""Opening a debug port: debugpy loaded silently, listening, and kept off what is treetap's.

Here and in ``debugclosing`` is all that counts on debugpy's insides.
"""

from __future__ import annotations

import _thread
import os
import sys

from treetap.errors import DebuggerError
from treetap.node import debugadapter, launch, thread
from treetap.node.imprint import Imprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

_VALIDATION = "PYDEVD_DISABLE_FILE_VALIDATION"
#: Older ones can't be taken out again: per-thread state and descriptors stay (seen on 1.8.0, 1.8.9, 1.8.14).
_OLDEST = (1, 8, 17)


def load() -> tuple[Any, Any]:
    """Import debugpy, silently and without its hooks.

    Raises:
        DebuggerError: It isn't installed, is too old, or can't be imported.
    """
    imprint = None if "pydevd" in sys.modules else Imprint()
    before = {name: os.environ.get(name) for name in (_VALIDATION, "PYDEVD_USE_FRAME_EVAL")}
    os.environ.setdefault(_VALIDATION, "1")  # or it writes to standard error
    try:
        import debugpy.server.api
        import pydevd
    except Exception as exc:
        raise _unavailable(f"debugpy can't be loaded here: {exc}.") from exc
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
        if imprint is not None:
            imprint.take_back(thread.identifiers())
    if _version(debugpy.__version__) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise _unavailable(f"debugpy {debugpy.__version__} is too old; {oldest} will do.")
    return debugpy.server.api, pydevd


def _unavailable(what: str) -> DebuggerError:
    return DebuggerError(
        what,
        f"Install it beside treetap: {sys.executable or 'python'} -m pip install -U "
        '"treetap[debugpy]"',
        slug="debugger-unavailable",
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


def listen(api: Any, host: str, port: int, mark: str) -> tuple[str, int]:
    """``debugpy.listen``, its children left alone and its adapter marked."""
    configuration = api._config
    before = dict(configuration)
    # Children are never patched: who has no second session for them would freeze them.
    configuration["subProcess"] = False
    configuration["pythonEnv"] = debugadapter.environment(
        os.environ, mark, launch.startup_directory()
    )
    try:
        address: tuple[str, int] = api.listen((host, port))
        return address
    finally:
        configuration.update(before)


def global_debugger() -> Any:
    constants = sys.modules.get("_pydevd_bundle.pydevd_constants")
    return None if constants is None else constants.get_global_debugger()


def is_tool_taken() -> bool:
    monitoring = getattr(sys, "monitoring", None)
    return monitoring is not None and bool(monitoring.get_tool(monitoring.DEBUGGER_ID))


def exchange_codes(codes: dict[str, CodeType]) -> None:
    """Have functions of ``threading`` hide debugpy's threads: it sees to that only once itself."""
    import threading

    for name, code in codes.items():
        getattr(threading, name).__code__ = code


def hider(pydevd: Any) -> Callable[[], None]:
    """What hides the thread that calls it: as debugpy hides its own."""
    import threading

    active: dict[int, Any] = threading._active  # type: ignore[attr-defined]
    if pydevd.PYDEVD_USE_SYS_MONITORING:
        from _pydevd_sys_monitoring import pydevd_sys_monitoring

        begin, end = pydevd_sys_monitoring.start_monitoring, pydevd_sys_monitoring.stop_monitoring
    else:
        begin = end = None
    set_trace = pydevd.pydevd_tracing.TracingFunctionHolder._original_tracing or sys.settrace

    def hide() -> None:
        if begin is None:
            set_trace(None)
        else:
            begin(all_threads=False)  # or there would be nothing to end
            end(all_threads=False)
        own = active.get(_thread.get_ident())
        if own is not None:
            own.pydev_do_not_trace = own.is_pydev_daemon_thread = True

    return hide


def hide_package(debugger: Any) -> None:
    """Have debugpy take our files for its own: it neither stops in them nor shows them."""
    from _pydevd_bundle.pydevd_api import PyDevdAPI

    shown = getattr(debugger.dont_trace_external_files, "start_patterns", ())
    end = getattr(debugger.dont_trace_external_files, "end_patterns", ())
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    PyDevdAPI().set_dont_trace_start_end_patterns(debugger, (*shown, f"{package}/"), end)
