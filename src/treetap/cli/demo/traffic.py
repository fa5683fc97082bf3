"""Real requests from a real client, in a thread of the demo."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import socket
import struct
import threading
from typing import Self

_PATHS = ("/", "/orders.json", "/missing", "/orders.json?page=2")
_PAUSE_S = 0.04
_TIMEOUT_S = 5.0


class Traffic:
    """A context manager: inside it requests come in, one after the other."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic")
        self.answers = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        for path in itertools.cycle(_PATHS):
            if self._is_over.wait(_PAUSE_S):
                return
            self.answers += get(self._port, path)


def get(port: int, path: str) -> bool:
    """Ask for ``path``; whether there was an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"User-Agent": "treetap-demo"})
        connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def break_off(port: int) -> None:
    """Ask for a big file, and reset the connection while it is being sent."""
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), _TIMEOUT_S) as client,
    ):
        client.sendall(b"GET /big.bin HTTP/1.0\r\n\r\n")
        client.recv(1000)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
