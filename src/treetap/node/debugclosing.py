"""Closing a debug port: the order in which debugpy is taken out, in a process and in a forked child."""

from __future__ import annotations

import _socket
import atexit
import gc
import sys
import time
from types import FunctionType

from treetap.node import thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treetap.node.debugadapter import Adapter
    from treetap.node.imprint import Imprint

#: For what is still to be sent to the adapter.
_FLUSH_TIMEOUT_S = 1.0
#: For debugpy's threads, once their socket is shut.
_THREADS_TIMEOUT_S = 2.0
#: For the port, once the adapter has ended.
_PORT_TIMEOUT_S = 1.0


def close(
    debugger: Any, imprint: Imprint | None, adapter: Adapter | None, address: tuple[str, int] | None
) -> tuple[str, ...]:
    """Take debugpy out.

    Args:
        debugger: Its ``PyDB``.
        imprint: What the process was like before.
        adapter: Its adapter.
        address: Of the port, to see that it refuses.

    Returns:
        What could not be closed, in sentences.
    """
    remains = []
    threads = list(debugger.created_pydb_daemon_threads) if debugger is not None else []
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("who was stopped may be so still", lambda: _let_run(debugger)),
        ("code may still be watched", stop_monitoring),
        ("its connection may be open", lambda: _hang_up(debugger)),
        ("its tracing may go on", _stop_tracing),
        ("what it replaced may be in place", lambda: _take_back(imprint)),
    )
    for what, step in steps:
        try:
            step()
        except Exception as exc:  # noqa: BLE001 - the rest is to be closed all the same; it is said
            remains.append(f"debugpy could not be taken out: {what} ({type(exc).__name__}: {exc}).")
    if not _are_over(threads):
        remains.append("A thread of debugpy's is still running.")
    is_known = adapter is not None and bool(adapter.pid)
    if adapter is not None and not adapter.end():
        remains.append(f"debugpy's adapter, process {adapter.pid}, has not ended.")
    # With its process a port has ended too, and may be another's by now.
    elif address is not None and not is_known and not _refuses(address):
        remains.append(f"The debug port {address[0]}:{address[1]} is still open.")
    return tuple(remains)


def abandon(debugger: Any, imprint: Imprint) -> None:
    """After a fork: take debugpy out of the child. Waits for nothing, and sends nothing."""
    from _pydevd_bundle import pydevd_constants

    pydevd_constants.after_fork()  # its locks: threads that aren't here may hold them
    debugger = debugger or pydevd_constants.get_global_debugger()
    if debugger is not None:
        debugger.created_pydb_daemon_threads = {}
        debugger.pydb_disposed = True
        for owner in (debugger.reader, debugger.writer):
            sock = getattr(owner, "sock", None)
            if sock is not None:
                sock.close()  # not shut down: the parent uses it
    stop_monitoring(is_hurried=True)
    _stop_tracing()
    _take_back(imprint)


def stop_monitoring(*, is_hurried: bool = False) -> None:
    """3.12+: end the events of each code object, and free the tool id.

    ``pydevd`` ends the global ones alone; a code object would keep its slower instructions.

    Args:
        is_hurried: Don't look for codes that ``pydevd`` doesn't know: see ``_end_events``.
    """
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is None or monitoring.get_tool(monitoring.DEBUGGER_ID) != "pydevd":
        return
    tool = monitoring.DEBUGGER_ID
    monitoring.set_events(tool, 0)
    for name in (
        "_pydevd_sys_monitoring._pydevd_sys_monitoring_cython",
        "_pydevd_sys_monitoring_cython",
        "_pydevd_sys_monitoring._pydevd_sys_monitoring",
    ):
        known = getattr(sys.modules.get(name), "_code_to_func_code_info_cache", None)
        if known is None:
            continue
        _end_events(monitoring, list(known), is_hurried=is_hurried)
        # Of breakpoints that are gone: the next session would believe it.
        known.clear()
    for event in ("PY_START", "PY_RESUME", "PY_RETURN", "PY_UNWIND", "RAISE", "LINE", "JUMP"):
        monitoring.register_callback(tool, getattr(monitoring.events, event), None)
    monitoring.free_tool_id(tool)


def _end_events(monitoring: Any, known: list[Any], *, is_hurried: bool) -> None:
    """End the events of these codes, and of those that are equal to them.

    ``pydevd`` has a table by the code object. Two that are compiled from equal text, at the same lines
    of two files, are equal: it watches both, and knows one.
    """
    tool = monitoring.DEBUGGER_ID
    watched = {(c.co_name, c.co_firstlineno) for c in known if monitoring.get_local_events(tool, c)}
    for code in known:
        monitoring.set_local_events(tool, code, 0)
    if not watched or is_hurried:
        return
    for each in gc.get_objects():
        code = each.__code__ if type(each) is FunctionType else None
        is_alike = code is not None and (code.co_name, code.co_firstlineno) in watched
        if is_alike and monitoring.get_local_events(tool, code):
            monitoring.set_local_events(tool, code, 0)


def _let_run(debugger: Any) -> None:
    """As if the editor had left: no breakpoint, nobody stopped, the output where it was."""
    from _pydevd_bundle.pydevd_api import PyDevdAPI

    if debugger is None:
        return
    debugger.enable_output_redirection(False, False)
    PyDevdAPI().request_disconnect(debugger, resume_threads=True)


def _hang_up(debugger: Any) -> None:
    """Send what is to be sent, then shut the connection: debugpy itself waits for its peer to."""
    writer, reader = getattr(debugger, "writer", None), getattr(debugger, "reader", None)
    if writer is not None:
        writer.do_kill_pydev_thread()
        _wait_for(lambda: not writer.is_alive(), _FLUSH_TIMEOUT_S)
    for owner in (writer, reader):
        sock = getattr(owner, "sock", None)
        if sock is not None:
            try:
                sock.shutdown(_socket.SHUT_RDWR)
            except OSError:
                pass  # the adapter was quicker
    if reader is not None:
        _wait_for(lambda: not reader.is_alive(), _FLUSH_TIMEOUT_S)
        reader.sock.close()


def _stop_tracing() -> None:
    """``pydevd``'s own end, and a state as if it had never begun."""
    import threading

    import debugpy.server.api
    import pydevd
    from _pydevd_bundle import pydevd_constants, pydevd_io
    from _pydevd_sys_monitoring import pydevd_sys_monitoring

    if "_pydevd_bundle.pydevd_constants" in sys.modules:
        pydevd.stoptrace()
    atexit.unregister(pydevd.stoptrace)  # one a session
    for stream in ("stdout", "stderr"):
        pydevd_io.stop_redirect_stream_to_pydb_io_messages(stream)
    pydevd_constants.set_global_debugger(None)
    pydevd.SetupHolder.setup = None
    pydevd.pydevd_tracing._last_tracing_func_thread_local = threading.local()
    if hasattr(sys, "monitoring"):
        pydevd_sys_monitoring.reset_thread_local_info()
    debugpy.server.api.listen.called = False
    debugpy.server.api._adapter_process = None


def _take_back(imprint: Imprint | None) -> None:
    if imprint is not None:
        imprint.take_back(thread.identifiers())


def _are_over(threads: list[Any]) -> bool:
    return _wait_for(lambda: not any(each.is_alive() for each in threads), _THREADS_TIMEOUT_S)


def _refuses(address: tuple[str, int]) -> bool:
    from treetap.node.control import loopback_of

    host = loopback_of(address[0])
    family = _socket.AF_INET6 if ":" in host else _socket.AF_INET

    def is_refused() -> bool:
        sock = _socket.socket(family, _socket.SOCK_STREAM)
        try:
            sock.settimeout(1.0)
            return sock.connect_ex((host, address[1])) != 0
        finally:
            sock.close()

    return _wait_for(is_refused, _PORT_TIMEOUT_S)


def _wait_for(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether ``condition`` becomes true in time; where nothing can be waited for."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.002)
    return True
