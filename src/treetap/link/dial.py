"""Connecting, by ``_socket``: ``socket`` takes 5 ms to import, which a wake and a starting child feel."""

from __future__ import annotations

import _socket
import time

from treetap.link.lifting import lift

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def dial(host: str, port: int, deadline_s: float) -> Any:
    """A socket that is connected to the first address of ``host`` that answers.

    Raises:
        OSError, UnicodeError: None does; what the last one said.
    """
    # As bytes: for text the interpreter imports its IDNA codec, and `re` with that.
    name = host.encode() if host.isascii() else host
    cause: OSError | None = None
    for family, _kind, _protocol, _name, address in _socket.getaddrinfo(
        name, port, 0, _socket.SOCK_STREAM
    ):
        try:
            return _connected(family, address, deadline_s)
        except OSError as exc:
            cause = exc
    raise cause or OSError("the name has no address")


def dial_unix(path: str, deadline_s: float) -> Any:
    """A socket that is connected to the one at ``path``; raises ``OSError``."""
    return _connected(_socket.AF_UNIX, path, deadline_s)


def new_socket(family: int) -> Any:
    """A stream socket that is in no program's way."""
    kind = _socket.SOCK_STREAM
    return _socket.socket(family, kind, 0, lift(_socket.socket(family, kind).detach()))


def _connected(family: int, address: Any, deadline_s: float) -> Any:
    sock = new_socket(family)
    try:
        sock.settimeout(max(0.001, deadline_s - time.monotonic()))
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock
