"""Where nodes connect: a Unix socket for this machine, and TCP for everybody."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treetap.daemon.link_session import LINK_LIMITS, Host, LinkLimits, LinkSession

if TYPE_CHECKING:
    from asyncio import AbstractServer

log = logging.getLogger(__name__)

SOCKET_FILE = "daemon.sock"
#: Longer paths don't fit a ``sockaddr_un`` (104 bytes on macOS, 108 on Linux).
_MAX_PATH_BYTES = 100


class LinkServer:
    """Listens from ``start`` to ``close``; ``endpoint`` tells where."""

    def __init__(
        self, host: Host, *, run_dir: Path, tcp_host: str, limits: LinkLimits = LINK_LIMITS
    ) -> None:
        self._limits = limits
        self._host = host
        self._run_dir = run_dir
        self._tcp_host = tcp_host
        self._sessions: set[LinkSession] = set()
        self._servers: list[AbstractServer] = []
        self._unix_path: Path | None = None
        self._own_dir: Path | None = None
        self.endpoint: dict[str, Any] = {}

    async def start(self) -> None:
        """Listen. Raises ``OSError`` if the host is none of this machine's."""
        loop = asyncio.get_running_loop()
        tcp = await loop.create_server(self._session, self._tcp_host, 0)
        self._servers.append(tcp)
        bound = tcp.sockets[0].getsockname()
        self._unix_path = self._socket_path()
        unix = await loop.create_unix_server(self._session, sock=_private_socket(self._unix_path))
        self._servers.append(unix)
        self.endpoint = {"unix": str(self._unix_path), "host": bound[0], "port": bound[1]}

    @property
    def session_count(self) -> int:
        return len(self._sessions)

    async def close(self) -> None:
        """Stop listening and end all links."""
        for server in self._servers:
            server.close()
        for session in list(self._sessions):
            session.close()
        # Closed is what has no session any more; a peer that reads nothing is not waited for.
        for _ in range(20):
            if not self._sessions:
                break
            await asyncio.sleep(0.01)
        for session in list(self._sessions):
            session.abort()
        if self._unix_path is not None:
            with suppress(OSError):
                self._unix_path.unlink()
        if self._own_dir is not None:
            with suppress(OSError):
                self._own_dir.rmdir()

    def _session(self) -> LinkSession:
        return LinkSession(self._host, self._sessions, self._limits)

    def _socket_path(self) -> Path:
        path = self._run_dir / SOCKET_FILE
        if len(os.fsencode(path)) > _MAX_PATH_BYTES:
            self._own_dir = Path(tempfile.mkdtemp(prefix="treetap-", dir="/tmp"))
            path = self._own_dir / SOCKET_FILE
        with suppress(FileNotFoundError):
            path.unlink()
        return path


def _private_socket(path: Path) -> socket.socket:
    """A bound Unix socket that only its owner can connect to, from its first moment."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        sock.bind(str(path))
    except BaseException:
        sock.close()
        raise
    finally:
        os.umask(mask)
    sock.setblocking(False)
    return sock
