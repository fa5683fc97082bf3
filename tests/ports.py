"""A port for a server of a test that has to be told one before it binds it."""

from __future__ import annotations

import random
import socket

#: Below what Linux and macOS give out by themselves: nobody gets one of these by chance meanwhile.
_FIRST, _LAST = 20_000, 32_000
_random = random.SystemRandom()


def free_port() -> int:
    """One that nobody has on the loopback address."""
    while True:
        port = _random.randrange(_FIRST, _LAST)
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
