"""Real TCP connections on loopback, whose other end belongs to somebody."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from tests.link.other_user import run_as_other_user


def tcp_pair(
    family: socket.AddressFamily = socket.AF_INET, host: str = "127.0.0.1"
) -> tuple[socket.socket, socket.socket]:
    with socket.create_server((host, 0), family=family) as listener:
        near = socket.create_connection(listener.getsockname()[:2])
        far, _address = listener.accept()
    return near, far


def mixed_pair() -> tuple[socket.socket, socket.socket]:
    """A client of IPv4, and the server's end, which is of IPv6."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        near = socket.create_connection(("127.0.0.1", listener.getsockname()[1]))
        far, address = listener.accept()
    assert address[0] == "::ffff:127.0.0.1"
    return near, far


@contextlib.contextmanager
def peer_of_other_user() -> Iterator[tuple[socket.socket, int]]:
    """The server's end of a connection that another user's process made, and that user's id."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def connect() -> None:
            with socket.create_connection(("127.0.0.1", port)) as sock:
                sock.recv(1)

        with run_as_other_user(connect) as uid:
            far, _address = listener.accept()
            with far:
                yield far, uid
