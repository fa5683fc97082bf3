"""The control plane: a small HTTP server in threads of its own.

One thread sleeps until a connection or the bell comes; each connection gets a thread that answers
one request, within a deadline for the whole of it. When too many connections are open, the one that has
been sending its request for longest is cut off: an honest request takes a millisecond. It is made of
``_socket`` and ``_thread``, for ``socket`` and ``threading`` take 8 ms to import in a process that
only sleeps. All threads die with the interpreter, as daemon threads do.
"""

from __future__ import annotations

import _socket
import _thread
import time

from treetap.errors import ControlPlaneError
from treetap.link.dial import new_socket
from treetap.link.lifting import close_socket, is_closed, take_place
from treetap.node import thread
from treetap.node.bell import Bell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: For one request, from its connection to the last byte of the answer. A wake has more.
REQUEST_TIMEOUT_S = 10.0
MAX_CONNECTIONS = 16
#: An honest request is read in less, on a busy machine too; one that takes longer may be cut off for
#: another's sake. The second is for when there is hardly any room left.
_GRACE_S, _SHORT_GRACE_S = 1.0, 0.1
#: Beyond this even a flood of connections gets no further thread.
_MAX_THREADS = 64
_BACKLOG = 64
#: A loop over a million descriptors takes half a second.
_WATCH_S, _LOOK_S = 2.0, 0.05


class Connection:
    """An accepted connection: its socket, and whether its request is still being read."""

    __slots__ = ("deadline_s", "is_cut", "is_reading", "since_s", "sock")

    def __init__(self, sock: Any, timeout_s: float) -> None:
        self.sock = sock
        self.since_s = time.monotonic()
        self.deadline_s = self.since_s + timeout_s
        self.is_reading = True
        self.is_cut = False

    def cut_off(self) -> None:
        """Make its thread's ``recv`` or ``send`` end at once."""
        self.is_cut = True
        try:
            self.sock.shutdown(_socket.SHUT_RDWR)
        except OSError:
            pass


class ControlPlane:
    """Listens on ``host``; each connection is handed to ``serve`` in a thread of its own.

    Args:
        host: Address to bind, IPv4 or IPv6.
        port: 0 for any free one.
        serve: Called with a ``Connection``; answers it. What it raises goes to ``on_fault``.
        on_fault: Called with a phrase and an exception.
        request_timeout_s: For one request.
        on_signal: Called when something has been written to ``signal_descriptor``.
        bell: Whose descriptor that is, if there is one already; it is closed with the control plane.

    Raises:
        ControlPlaneError: The address can't be bound (slug ``control-plane-port``).
    """

    def __init__(
        self,
        host: str,
        port: int,
        serve: Callable[[Connection], None],
        on_fault: Callable[[str, BaseException], None],
        *,
        request_timeout_s: float = REQUEST_TIMEOUT_S,
        on_signal: Callable[[], None] | None = None,
        bell: Bell | None = None,
    ) -> None:
        self._serve = serve
        self._on_signal = on_signal
        self._on_fault = on_fault
        self._request_timeout_s = request_timeout_s
        self._listener = _bind(host, port)
        self.bound_host: str = self._listener.getsockname()[0]
        self.bound_port: int = self._listener.getsockname()[1]
        self._is_closing = False
        self._is_paused = False
        self._bell = bell if bell is not None else Bell()
        self._is_bell_given = bell is not None
        # Protects the table below, never held across I/O.
        self._lock = _thread.allocate_lock()
        self._connections: dict[int, Connection] = {}
        # Held by the accepting thread for as long as it lives; acquiring it is joining.
        self._accepting = _thread.allocate_lock()

    def start(self) -> None:
        """Begin to accept.

        Raises:
            ControlPlaneError: No thread can be started.
        """
        self._accepting.acquire()
        try:
            self._begin_accepting()
        except ControlPlaneError:
            self._listener.close()
            if not self._is_bell_given:
                self._bell.close()
            raise

    def _begin_accepting(self) -> None:
        try:
            thread.start(self._accept_forever)
        except RuntimeError as exc:
            self._accepting.release()
            raise ControlPlaneError(
                f"The control plane has no thread to serve from: {exc}.",
                "The limit of processes and threads is reached: see `ulimit -u`.",
            ) from exc

    def stop(self, timeout_s: float = 1.0) -> None:
        """Close everything; idempotent. Waits for no peer, only for our own threads to notice.

        A thread whose request is being acted upon (a wake) may outlive this; it is bounded by
        the limits of what it does.
        """
        if self._is_closing:
            return
        self._is_closing = True
        deadline_s = time.monotonic() + timeout_s
        if self._join(timeout_s):
            self._bell.close()
        close_socket(self._listener)
        for connection in self._snapshot():
            if connection.is_reading:
                connection.cut_off()
        while time.monotonic() < deadline_s and any(each.is_reading for each in self._snapshot()):
            time.sleep(0.001)

    def pause(self) -> None:
        """End the accepting thread for now; callers wait in the kernel's queue."""
        self._is_paused = True
        self._join(1.0)

    def resume(self) -> None:
        """The opposite of ``pause``."""
        if self._is_paused and not self._is_closing:
            self._is_paused = False
            # A thread that was too slow to end goes on: `_accept_forever` looks again as it ends.
            if self._accepting.acquire(blocking=False):
                self._begin_accepting()

    @property
    def signal_descriptor(self) -> int:
        """Where a signal's handler writes, which must not wait, to have ``on_signal`` called."""
        return self._bell.pulled

    @property
    def thread_count(self) -> int:
        """How many threads there are of ours."""
        return int(self._accepting.locked()) + len(self._connections)

    def abandon_in_child(self) -> None:
        """After a fork: close the parent's sockets here, without shutting them down there."""
        self._is_closing = True
        self._bell.close()
        close_socket(self._listener)
        for connection in list(self._connections.values()):
            connection.sock.close()

    def _snapshot(self) -> list[Connection]:
        with self._lock:
            return list(self._connections.values())

    def _join(self, timeout_s: float) -> bool:
        self._bell.ring()
        is_gone = self._accepting.acquire(timeout=timeout_s)
        if is_gone:
            self._accepting.release()
        return is_gone

    def _accept_forever(self) -> None:
        while self._accept():
            # `resume` may have come since we saw the pause, and have found us alive.
            if self._is_paused or not self._accepting.acquire(blocking=False):
                return

    def _accept(self) -> bool:
        """Until the end, or a pause; whether it was a pause."""
        try:
            while not self._is_closing and not self._is_paused:
                if self._bell.take_signal() and self._on_signal is not None:
                    self._on_signal()
                try:
                    self._wait()
                    descriptor, _address = self._listener._accept()
                except BlockingIOError:
                    continue  # it was the bell, or the caller has gone
                except OSError as exc:
                    # Out of descriptors, most likely: not worth dying for.
                    self._on_fault("accepting a connection", exc)
                    time.sleep(0.05)
                    self._mend()
                    continue
                self._begin(_socket.socket(fileno=descriptor))
            return not self._is_closing
        except BaseException as exc:  # noqa: BLE001 - it must not be printed in somebody's program
            self._on_fault("the control plane", exc)
            return False
        finally:
            self._accepting.release()

    def _wait(self) -> None:
        """For a caller, or the bell.

        Who closes all that it had inherited may come to our socket after the bell; while it is waited
        for, the kernel doesn't tell.
        """
        is_watching = time.monotonic() < self._bell.mended_s + _WATCH_S
        self._bell.wait(_LOOK_S if is_watching else None, self._listener)
        if time.monotonic() < self._bell.mended_s + _WATCH_S:
            self._mend()

    def _mend(self) -> None:
        """Listen again, if the program has closed our socket with all that it had inherited.

        Raises:
            ControlPlaneError: Somebody else has our port by now.
        """
        if self._is_closing or not is_closed(self._listener.fileno()):
            return
        listener = _bind(self.bound_host, self.bound_port)
        take_place(listener.detach(), self._listener.fileno())

    def _begin(self, sock: Any) -> None:
        connection = Connection(sock, self._request_timeout_s)
        with self._lock:
            is_full = len(self._connections) >= _MAX_THREADS or self._is_closing
            slowest = self._slowest(connection.since_s)
            if not is_full:
                self._connections[id(connection)] = connection
        if slowest is not None:
            slowest.cut_off()
        if is_full:
            sock.close()
            return
        try:
            thread.start(self._serve_one, connection)
        except RuntimeError:
            # The interpreter ends, or the machine is out of threads.
            self._end(connection)

    def _slowest(self, now_s: float) -> Connection | None:
        """The one that has been sending its request for longest, if there are too many."""
        alive = [each for each in self._connections.values() if not each.is_cut]
        if len(alive) < MAX_CONNECTIONS:
            return None
        has_room = len(alive) < _MAX_THREADS - MAX_CONNECTIONS
        since_s = now_s - (_GRACE_S if has_room else _SHORT_GRACE_S)
        return next((each for each in alive if each.is_reading and each.since_s < since_s), None)

    def _serve_one(self, connection: Connection) -> None:
        try:
            self._serve(connection)
        except BaseException as exc:  # noqa: BLE001 - nothing of ours is printed there
            self._on_fault("a request to the control plane", exc)
        finally:
            self._end(connection)

    def _end(self, connection: Connection) -> None:
        with self._lock:
            self._connections.pop(id(connection), None)
        connection.sock.close()


def loopback_of(host: str) -> str:
    """Where a process of this machine reaches what is bound to ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared only


def _bind(host: str, port: int) -> Any:
    listener = None
    try:
        # As bytes: for text the interpreter imports its IDNA codec, and `re` with that.
        name = (host or "0.0.0.0").encode("utf-8")  # noqa: S104 - Detrix's meaning of an empty host
        address = _socket.getaddrinfo(name, port, 0, _socket.SOCK_STREAM)[0]
        listener = new_socket(address[0])
        listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        listener.bind(address[4])
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as exc:
        if listener is not None:
            listener.close()
        raise ControlPlaneError(
            f"The control plane can't listen on {host}:{port}.",
            f"{exc}\nChoose another control_port, or 0 for any free one.",
            slug="control-plane-port",
        ) from exc
    return listener
