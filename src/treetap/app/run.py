"""From settings to a running daemon, and to its clean end."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from treetap.api import make_application
from treetap.app import log as log_file
from treetap.app.lock import HomeLock
from treetap.app.port import bind
from treetap.daemon import Daemon, standing
from treetap.daemon.daemon import DaemonPlace

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterator

    from treetap.app.settings import DaemonSettings

log = logging.getLogger(__name__)

#: How long requests that are being answered may take to end, in seconds.
_GRACE_S = 1


def run(settings: DaemonSettings) -> None:
    """Run a daemon until SIGTERM, SIGINT or ``POST /api/v2/shutdown``.

    Raises:
        DaemonError: Another runs for this home (slug ``daemon-running``), or its port is taken
            (``daemon-port-busy``).
        StoreError: The database can't be used.
    """
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with HomeLock(settings.run_dir), contextlib.closing(bind(settings.host, settings.port)) as sock:
        handler = log_file.open_log(settings.log_path)
        try:
            asyncio.run(serve(settings, sock, handles_signals=True))
        finally:
            log_file.close_log(handler)


async def serve(
    settings: DaemonSettings, sock: socket.socket, *, handles_signals: bool = False
) -> None:
    """Serve on a bound socket until told to stop."""
    daemon = Daemon(
        DaemonPlace(settings.run_dir, settings.host, settings.store_url),
        retention=settings.retention,
        token=settings.token,
        trust_loopback=settings.trust_loopback,
    )
    try:
        url = _url(sock)
        await daemon.start(url)
        version = importlib.metadata.version("treetap")
        daemon_file = settings.run_dir / standing.DAEMON_FILE

        async def started() -> None:
            standing.write_atomically(daemon_file, _identity(daemon, version))
            log.info("daemon %s, process %d, serves %s", version, os.getpid(), url)
            if settings.token_complaint:
                log.warning("%s", settings.token_complaint)

        async def stopping() -> None:
            standing.remove(daemon_file)
            daemon.feed.close()

        server = _Server(daemon, settings.hosts, version, started, stopping)
        if handles_signals:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, server.stop)
        await server.serve(sockets=[sock])
    finally:
        await daemon.close()
        log.info("daemon %d has ended", os.getpid())


class _Server(uvicorn.Server):
    """uvicorn, but for who minds the signals, and for streams, which would never end."""

    def __init__(
        self,
        daemon: Daemon,
        hosts: tuple[str, ...],
        version: str,
        started: Callable[[], Awaitable[None]],
        stopping: Callable[[], Awaitable[None]],
    ) -> None:
        application = make_application(daemon, version=version, stop=self.stop, hosts=hosts)
        super().__init__(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,
                lifespan="off",
                loop="asyncio",
                ws="none",
                # A header must not say where a request comes from: it decides who may speak.
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        self._when_started = started
        self._when_stopping = stopping

    def stop(self) -> None:
        """End it soon; may be called often."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await self._when_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._when_stopping()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn would raise them again after its end, and kill us before ours.
        yield


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _identity(daemon: Daemon, version: str) -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "start_ns": _start_ns(),
        "url": daemon.url,
        "link": daemon.link.endpoint,
        "version": version,
    }


def _start_ns() -> int:
    """When this process began, as ``NodeIdentity.start_ns``; 0 where the system doesn't tell."""
    try:
        return int(Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0
