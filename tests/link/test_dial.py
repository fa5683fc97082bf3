from __future__ import annotations

import socket
import time

import pytest

from treetap.link.dial import dial, dial_unix


def soon() -> float:
    return time.monotonic() + 5


def test_a_host_is_reached_by_any_of_its_addresses():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        # `localhost` may be ::1 first, where nobody listens.
        for host in ("127.0.0.1", "localhost"):
            sock = dial(host, port, soon())
            assert sock.getpeername() == ("127.0.0.1", port)
            sock.close()


def test_a_port_where_nobody_listens_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        dial("127.0.0.1", port, soon())


def test_a_name_that_is_none_is_an_error():
    with pytest.raises((OSError, UnicodeError)):
        dial("ü" * 100, 80, soon())


def test_a_unix_socket_is_reached(tmp_path):
    path = str(tmp_path / "s")
    with pytest.raises(FileNotFoundError):
        dial_unix(path, soon())
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        sock = dial_unix(path, soon())
        sock.close()
