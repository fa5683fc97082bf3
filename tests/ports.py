"""A port for a server of a test that has to be told one before it binds it."""

from __future__ import annotations

import os
import random
import socket

#: Below what Linux and macOS give out by themselves: nobody gets one of these by chance meanwhile.
_ALL = range(20_000, 32_000)
#: Each worker of xdist has its own: two would find the same one free before either binds it.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_OURS = _ALL[_worker::_workers]
_random = random.SystemRandom()


def free_port() -> int:
    """One that nobody has on the loopback address."""
    while True:
        port = _random.choice(_OURS)
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
