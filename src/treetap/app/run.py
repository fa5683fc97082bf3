"""From settings to a running daemon, and to its clean end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING

from treetap.app import log
from treetap.app.lock import HomeLock
from treetap.app.port import bind
from treetap.app.server import DaemonServer
from treetap.daemon.configuration import Change

if TYPE_CHECKING:
    import socket

    from treetap.app.settings import DaemonSettings


def run(settings: DaemonSettings) -> None:
    """Run a daemon until SIGTERM, SIGINT or ``POST /api/v2/shutdown``.

    Raises:
        DaemonError: Another runs for this home (slug ``daemon-running``), or its port is taken
            (``daemon-port-busy``).
        StoreError: The database can't be used.
    """
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with HomeLock(settings.run_dir), contextlib.closing(bind(settings.host, settings.port)) as sock:
        handler = log.open_log(settings.log_path)
        configuration = settings.configuration

        def heed_level(_change: Change) -> None:
            log.set_level(handler, configuration.current.daemon.log_level)

        heed_level(Change())
        configuration.when_changed(heed_level)
        try:
            asyncio.run(_serve(settings, sock))
        finally:
            log.close_log(handler)


async def _serve(settings: DaemonSettings, sock: socket.socket) -> None:
    # The writer computes while the loop answers: it shall not wait for 5 ms each time.
    sys.setswitchinterval(0.001)
    async with DaemonServer.of(settings, sock) as server:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.stop)
        await server.serve(sockets=[sock])
