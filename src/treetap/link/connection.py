"""The node's end of a link: one blocking socket that carries whole messages.

One thread owns a connection.
"""

from __future__ import annotations

import _socket
import os
import select
import time

from treetap.errors import LinkError
from treetap.link import auth, handshake
from treetap.link.address import is_loopback
from treetap.link.dial import dial, dial_unix
from treetap.link.lifting import close_socket
from treetap.wire import codec, frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treetap.model.node import NodeIdentity

_RECEIVE_BYTES = 65536


class LinkConnection:
    """A link whose handshake is done.

    Attributes:
        welcome: The daemon's welcome: ``revision`` and ``probes``.
    """

    def __init__(self, sock: Any, *, send_timeout_s: float = 5.0) -> None:
        self._socket = sock
        # With a timeout set, Python waits for that even where the system call doesn't wait.
        sock.setblocking(False)
        self._send_timeout_s = send_timeout_s
        self._received = bytearray()
        self.welcome: dict[str, Any] = {}

    @classmethod
    def open(
        cls,
        endpoint: dict[str, Any],
        identity: NodeIdentity,
        *,
        token: str = "",
        timeout_s: float = 5.0,
        trust_loopback: bool = True,
        on_socket: Callable[[Any], None] | None = None,
    ) -> LinkConnection:
        """Connect and shake hands.

        Args:
            endpoint: ``unix`` (a path, preferred where it exists) and/or ``host`` and ``port``.
            identity: Who we are.
            token: The shared token, or ``""``.
            timeout_s: For all of it.
            trust_loopback: Trust a daemon on loopback whose user can't be known.
            on_socket: Is told the socket, so that another thread can shut it down.

        Raises:
            LinkError: ``link-unreachable`` if nobody answers in time, ``link-refused`` and
                others from the handshake.
        """
        deadline_s = time.monotonic() + timeout_s
        sock = _connect(endpoint, deadline_s)
        connection = cls(sock)
        try:
            if on_socket is not None:
                on_socket(sock)
            connection._shake_hands(
                identity, token=token, deadline_s=deadline_s, trust_loopback=trust_loopback
            )
        except BaseException:
            connection.close()
            raise
        return connection

    def send(self, message: Any) -> None:
        """Send one message.

        Raises:
            LinkError: The link is broken, or the daemon took nothing for too long; the
                connection is of no more use (slug ``link-closed``).
            TypeError, ValueError: Not plain data; nothing was sent.
        """
        self.send_frames(frame.pack(codec.encode_json(message)))

    def send_frames(self, frames: bytes) -> None:
        """Send frames that are packed already. Raises ``LinkError`` as ``send``."""
        try:
            self._socket.settimeout(self._send_timeout_s)
            self._socket.sendall(frames)
            self._socket.setblocking(False)
        except OSError as exc:
            # A part of a frame may be out: what follows would be garbage to the daemon.
            raise LinkError("The link broke.", str(exc), slug="link-closed") from exc

    def send_some(self, content: memoryview) -> int:
        """Send what the kernel takes without waiting; returns how many bytes.

        Raises:
            LinkError: The link is broken (slug ``link-closed``).
        """
        try:
            return int(self._socket.send(content))
        except BlockingIOError:
            return 0
        except OSError as exc:
            raise LinkError("The link broke.", str(exc), slug="link-closed") from exc

    def wait_writable(self, timeout_s: float) -> None:
        """Wait until something can be sent. Raises ``LinkError`` as ``receive``."""
        self._poll(timeout_s, select.POLLOUT)

    def receive(self, timeout_s: float) -> Any:
        """The next message, or ``None`` if there is none within ``timeout_s`` seconds.

        Raises:
            LinkError: The daemon closed the link (slug ``link-closed``), or sent what is no
                frame or no message.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            message = self._take_message()
            if message is not None:
                return message
            if not self._poll(max(0.0, deadline_s - time.monotonic()), select.POLLIN):
                return None
            try:
                received = self._socket.recv(_RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except OSError as exc:
                raise LinkError("The link broke.", str(exc), slug="link-closed") from exc
            if not received:
                raise LinkError("The daemon closed the link.", slug="link-closed")
            self._received += received

    @property
    def holds_received(self) -> bool:
        """Whether something was received that may be a message, and wasn't taken yet."""
        return bool(self._received)

    def close(self) -> None:
        """Close the socket; idempotent."""
        close_socket(self._socket)

    def fileno(self) -> int:
        """The socket's descriptor; -1 when closed."""
        return int(self._socket.fileno())

    def _poll(self, timeout_s: float, events: int) -> bool:
        # poll, not select: a program may have more than 1024 descriptors.
        try:
            poll = select.poll()
            poll.register(self._socket, events)
            return bool(poll.poll(timeout_s * 1000))
        except (OSError, ValueError) as exc:
            raise LinkError("The link is closed.", str(exc), slug="link-closed") from exc

    def _take_message(self) -> Any:
        received = self._received
        if len(received) < frame.HEADER_BYTES:
            return None
        end = frame.HEADER_BYTES + frame.payload_bytes(bytes(received[: frame.HEADER_BYTES]))
        if len(received) < end:
            return None
        payload = bytes(received[frame.HEADER_BYTES : end])
        del received[:end]
        return codec.decode(payload)

    def _shake_hands(
        self, identity: NodeIdentity, *, token: str, deadline_s: float, trust_loopback: bool
    ) -> None:
        challenge = self._expect(deadline_s)
        standing = auth.standing(
            auth.peer_uid(self._socket),
            is_loopback=_is_local(self._socket),
            trust_loopback=trust_loopback,
        )
        hello = handshake.hello(identity, challenge, token=token)
        self.send(hello)
        answer = self._expect(deadline_s)
        self.welcome = handshake.check_welcome(answer, hello, standing=standing, token=token)

    def _expect(self, deadline_s: float) -> Any:
        message = self.receive(max(0.0, deadline_s - time.monotonic()))
        if message is None:
            raise LinkError(
                "The daemon took too long to answer on the link.",
                "Is it overloaded, or is something else on its port?",
                slug="link-unreachable",
            )
        return message


def _connect(endpoint: dict[str, Any], deadline_s: float) -> Any:
    path = endpoint.get("unix")
    if path and os.path.exists(path):
        try:
            return dial_unix(path, deadline_s)
        except OSError as exc:
            if not endpoint.get("port"):
                raise _unreachable(path, exc) from exc
    host, port = endpoint.get("host") or "127.0.0.1", endpoint.get("port")
    if not port:
        raise LinkError(
            "The daemon named no link that can be reached from here.",
            f"It said: {endpoint!r}",
            slug="link-unreachable",
        )
    try:
        sock = dial(host, port, deadline_s)
    except (OSError, UnicodeError) as exc:
        raise _unreachable(f"{host}:{port}", exc) from exc
    sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
    return sock


def _is_local(sock: Any) -> bool:
    return sock.family == _socket.AF_UNIX or is_loopback(str(sock.getpeername()[0]))


def _unreachable(where: str, cause: Exception) -> LinkError:
    return LinkError(
        f"The daemon's link at {where} can't be reached.", str(cause), slug="link-unreachable"
    )
