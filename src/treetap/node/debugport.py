"""The debug port: debugpy in this process, opened and closed as often as one likes.

debugpy knows one ``listen`` a process, for good. Here an open port is a thing with an end: ``close``
resumes who is stopped, takes the tracing out of every thread, ends debugpy's threads and its adapter,
sees that the port refuses, and puts back what debugpy has changed (``imprint``). What stays is its
modules. What couldn't be closed is said, not hidden.

Whoever can connect to the port may run any code here, with all that this process may do: so it is on
loopback, unless a token says that somebody has thought about it (``check_host``).
"""

from __future__ import annotations

import _thread
import os
import sys

from treetap.errors import DebuggerError
from treetap.link.address import is_loopback
from treetap.node import debugadapter, debugopening, thread
from treetap.node.imprint import Imprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

    from treetap.config.settings import Settings

#: For all of an opening: importing debugpy, its adapter's start, its handshake. Half a second as a rule.
OPEN_TIMEOUT_S = 20.0


class _Process:
    """What is one a process, as debugpy is."""

    def __init__(self) -> None:
        #: Held while a port is open, or being opened or closed.
        self.port: DebugPort | None = None
        #: Codes that debugpy has exchanged, which it does only once.
        self.codes: dict[str, CodeType] = {}


_process = _Process()


def check_host(settings: Settings, token: str) -> None:
    """Refuse an address that others than this machine reach, unless there is a token.

    Raises:
        DebuggerError: Slug ``debugger-exposed``.
    """
    if is_loopback(settings.control_host) or token:
        return
    raise DebuggerError(
        f"A debug port on {settings.control_host!r} would let anybody who reaches this machine run "
        "any code in this process.",
        "A debug port has no password. Set control_host to 127.0.0.1 and reach it through ssh -L; "
        "or set a token, which says that the network is yours "
        f"(control_host came from: {settings.origin('control_host')}).",
        slug="debugger-exposed",
    )


class DebugPort:
    """debugpy's port in this process; there is one at most.

    Attributes:
        host: Where it is; ``""`` while it is closed.
        port: Its number; 0 while it is closed.
        remains: What the last ``close`` could not take back, in sentences.
    """

    def __init__(self) -> None:
        self.host = ""
        self.port = 0
        self.remains: tuple[str, ...] = ()
        self._imprint: Imprint | None = None
        self._adapter: debugadapter.Adapter | None = None
        self._debugger: Any = None
        self._hide: Callable[[], None] | None = None

    def open(self, host: str, port: int, timeout_s: float = OPEN_TIMEOUT_S) -> int:
        """Open it, in a thread of its own, so that nothing the caller holds is in the way.

        Args:
            host: Address to bind.
            port: 0 for any free one.
            timeout_s: For all of it; what comes later is closed again.

        Raises:
            DebuggerError: debugpy isn't installed (``debugger-unavailable``), a debugger is here
                already (``debugger-taken``), the port can't be had (``debugger-port``), or it takes
                too long (``debugger-slow``).
        """
        if _process.port is not None:
            raise _taken("Another debug port is open, or being closed, in this process.")
        _process.port = self
        opening = _Opening(self, host, port)
        try:
            thread.start(opening.run)
        except RuntimeError as exc:
            _process.port = None
            raise DebuggerError(
                f"The debug port has no thread to be opened from: {exc}.", slug="debugger-port"
            ) from exc
        try:
            opening.wait(timeout_s)
        except BaseException:
            if opening.is_kept:
                self.close()  # a ctrl-c came in the moment that it was done
            raise
        return self.port

    def close(self) -> tuple[str, ...]:
        """Close it; idempotent. What could not be taken back, in sentences."""
        if not self.host:
            return self.remains
        from treetap.node import debugclosing

        try:
            self.remains = debugclosing.close(
                self._debugger, self._imprint, self._adapter, (self.host, self.port)
            )
        finally:
            self._forget()
        return self.remains

    def abandon_in_child(self) -> None:
        """After a fork: take debugpy out of the child, and leave the parent's port alone."""
        from treetap.node import debugclosing

        if self._adapter is not None:
            self._adapter.let_go()
        try:
            if "pydevd" in sys.modules and self._imprint is not None:
                debugclosing.abandon(self._debugger, self._imprint)
        finally:
            self._forget()

    def hide_thread(self) -> None:
        """Have debugpy leave the calling thread, one of ours, alone.

        It stops all threads at a breakpoint; who asks us to close the port must not be among them.
        Nothing of the standard library runs before: debugpy would stop there already.
        """
        hide = self._hide
        if hide is not None:
            hide()

    @property
    def thread_count(self) -> int:
        """How many threads debugpy has here."""
        debugger = self._debugger
        return len(debugger.created_pydb_daemon_threads) if debugger is not None else 0

    # Inside; `open_here` and `_forget` run in the thread of the opening.

    def open_here(self, host: str, port: int) -> None:
        """What ``open`` does, in the thread that it is called in."""
        api, pydevd = debugopening.load()
        is_here = getattr(api.listen, "called", False) or debugopening.global_debugger() is not None
        if is_here or debugopening.is_tool_taken():
            raise _taken("A debugger is at work in this process already.")
        self._imprint = imprint = Imprint()
        mark = f"{os.getpid()}-{os.urandom(8).hex()}"
        try:
            address = debugopening.listen(api, host, port, mark)
        finally:
            self._debugger = debugopening.global_debugger()
            self._adapter = debugadapter.Adapter(mark)
        _process.codes.update(imprint.changed_codes())
        debugopening.exchange_codes(_process.codes)
        debugopening.hide_package(self._debugger)
        pydevd.SetupHolder.setup = None
        self._hide = debugopening.hider(pydevd)
        self.host, self.port = str(address[0]), int(address[1])

    def _forget(self) -> None:
        self.host, self.port = "", 0
        self._hide = None
        self._imprint = self._adapter = self._debugger = None
        if _process.port is self:
            _process.port = None

    def give_up(self) -> None:
        """After an opening that failed, or came too late: leave nothing of it."""
        try:
            from treetap.node import debugclosing

            if self._imprint is not None:
                debugclosing.close(self._debugger, self._imprint, self._adapter, None)
        finally:
            self._forget()


class _Opening:
    """One opening, which its caller may cease to wait for."""

    def __init__(self, port: DebugPort, host: str, number: int) -> None:
        self._port = port
        self._host = host
        self._number = number
        self._error: Exception | None = None
        #: Whether the port is open, and left to who waits.
        self.is_kept = False
        # Held until it is done; the second decides who closes what comes too late.
        self._done = _thread.allocate_lock()
        self._done.acquire()
        self._verdict = _thread.allocate_lock()

    def run(self) -> None:
        try:
            self._port.open_here(self._host, self._number)
        except Exception as exc:  # noqa: BLE001 - raised again by `wait`
            self._error = exc
        is_wanted = self._verdict.acquire(blocking=False)
        try:
            if self._error is not None or not is_wanted:
                self._port.give_up()
            else:
                self.is_kept = True
        except Exception as exc:  # noqa: BLE001 - likewise; nothing is printed in somebody's program
            self._error = self._error or exc
        finally:
            self._done.release()

    def wait(self, timeout_s: float) -> None:
        is_done = False
        try:
            is_done = self._done.acquire(timeout=timeout_s)
        finally:
            # A ctrl-c ends the waiting too.
            is_late = not is_done and self._verdict.acquire(blocking=False)
        if is_late:
            raise DebuggerError(
                f"debugpy had not opened its port after {timeout_s:g} s.",
                "Its adapter is a Python process of its own, which a busy machine may hold up.\n"
                "What it opens later is closed again. Try once more.",
                slug="debugger-slow",
            )
        if not is_done:
            self._done.acquire()  # it was done in that very moment
        if self._error is not None:
            raise _explained(self._error, self._host, self._number) from self._error


def _taken(what: str) -> DebuggerError:
    return DebuggerError(
        what,
        "There can be one in a process. End the editor's session, or don't call debugpy.listen() "
        "where treetap has the setting debugger=debugpy.",
        slug="debugger-taken",
    )


def _explained(error: Exception, host: str, port: int) -> DebuggerError:
    if isinstance(error, DebuggerError):
        return error
    return DebuggerError(
        f"debugpy can't open its port at {host}:{port}.",
        f"{error}\nChoose another debug_port, or 0 for any free one.",
        slug="debugger-port",
    )
