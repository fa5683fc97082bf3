"""What a node with ``debugger="debugpy"`` has while it is awake: a debug port, and a daemon that knows it.

The daemon is asked first and told last, so that no port is opened for one that isn't there, and none is
told before it is open. Who has configured no daemon wants the port for an editor: it is opened all
the same, and ``status()`` says that nobody was told.

In a forked child nothing of it is left: the child is a node that sleeps, and whose own wake opens a
port of its own.
"""

from __future__ import annotations

import _thread

from treetap.errors import DaemonError, DebuggerError, StateError
from treetap.node import debugport, thread
from treetap.node.registration import Registrar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treetap.node.core import Node
    from treetap.node.registration import Registered


class Debugging:
    """The debug port of a node that is awake: as ``waking.Awake``, for the other debugger.

    Args:
        node: Whose.
        daemon_url: Of the daemon that is to know of it.
        token: To send there; ``""`` for a daemon that shall not have ours.
        is_daemon_wanted: Fail where there is no daemon.

    Attributes:
        registered: What the daemon answered; ``None`` while none knows of the port.
        port: The debug port.
    """

    def __init__(
        self, node: Node, daemon_url: str, token: str, *, is_daemon_wanted: bool = True
    ) -> None:
        self._node = node
        self._daemon_url = daemon_url
        self._is_daemon_wanted = is_daemon_wanted
        self._socket: Any = None
        self._is_cancelled = False
        self._registrar = Registrar(node, daemon_url, token, self._watch)
        self.registered: Registered | None = None
        self.port = debugport.DebugPort()

    def begin(self, port: int, *, preferred: int = 0) -> None:
        """Open the port and register it.

        Args:
            port: Its number; 0 for any free one.
            preferred: Which that shall be, if it is free.

        Raises:
            DaemonError: The daemon isn't there, or won't have us.
            DebuggerError: The port can't be opened.
            StateError: ``cancel`` was called.
        """
        settings = self._node.settings
        debugport.check_host(settings, self._node.token())
        is_there = self._is_daemon_there()
        self._check()
        bound = self._open(settings.control_host, port, preferred)
        if _thread.get_ident() in thread.identifiers():
            self.hide_thread()  # the control plane's: what it has to say yet must not be stopped
        try:
            self._check()
            if is_there:
                self._register(bound)
        except BaseException:
            self._close()
            raise

    def cancel(self) -> None:
        """Make ``begin`` in another thread end soon, with an error."""
        self._is_cancelled = True
        sock = self._socket
        if sock is not None:
            try:
                import _socket

                sock.shutdown(_socket.SHUT_RDWR)
            except OSError:
                pass  # closed already

    @property
    def link_state(self) -> str:
        """``registered``, or ``none`` where no daemon knows."""
        return "registered" if self.registered is not None else "none"

    @property
    def connection_id(self) -> str | None:
        """The daemon's name for this process."""
        return self.registered.connection_id if self.registered is not None else None

    def probes_shown(self) -> list[dict[str, Any]]:
        """None: what the daemon wants to see, it asks the debugger for."""
        return []

    def stop(self, _reason: str, _timeout_s: float) -> None:
        """Tell the daemon, and close the port; ``Life.remains`` has what can't be closed."""
        registered, self.registered = self.registered, None
        if registered is not None:
            self._registrar.unregister(registered.connection_id)
        self._close()

    def pause(self) -> None:
        """Nothing: debugpy's threads aren't ours to end."""

    def resume(self) -> None:
        """The opposite of ``pause``."""

    @property
    def thread_count(self) -> int:
        """How many threads there are of ours."""
        return 0

    def hide_thread(self) -> None:
        """See ``DebugPort.hide_thread``."""
        self.port.hide_thread()

    def start_over_in_child(self) -> None:
        """After a fork: nothing of it here."""
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()
        self.port.abandon_in_child()

    def _open(self, host: str, port: int, preferred: int) -> int:
        if not port and preferred:
            try:
                return self.port.open(host, preferred)
            except DebuggerError as exc:
                if exc.slug != "debugger-port":
                    raise
        return self.port.open(host, port)

    def _is_daemon_there(self) -> bool:
        try:
            self._registrar.check()
        except DaemonError:
            if self._is_daemon_wanted:
                raise
            return False
        return True

    def _register(self, bound: int) -> None:
        try:
            self.registered = self._registrar.register(bound)
        except DaemonError as exc:
            if self._is_daemon_wanted:
                raise
            self._node.faults.add("telling the daemon of the debug port", exc)

    def _close(self) -> None:
        self._node.life.remains = self.port.close()

    def _watch(self, sock: Any) -> None:
        self._socket = sock
        self._check()

    def _check(self) -> None:
        if self._is_cancelled:
            raise StateError(
                "The node was shut down.",
                "Call treetap.init() to have a new one.",
                slug="state-closed",
            )
