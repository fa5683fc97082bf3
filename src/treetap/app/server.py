"""The daemon and its HTTP server as one thing, with one beginning and one end."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import os
from typing import TYPE_CHECKING, Self

import uvicorn

from treetap.api import make_application
from treetap.api.answer import body
from treetap.daemon import Daemon, standing
from treetap.daemon.daemon import DaemonPlace
from treetap.daemon.tree import process_start_ns
from treetap.mcp import Face

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from treetap.app.settings import DaemonSettings

log = logging.getLogger(__name__)

#: How long requests that are being answered may take to end, in seconds.
_GRACE_S = 1
#: A WebSocket is asked so often whether it is there, and has so long to answer, in seconds.
_PING_S = 30.0
_PONG_S = 10.0
_MAX_HEARD_BYTES = 64 * 1024


class DaemonServer(uvicorn.Server):
    """uvicorn, but for who minds the signals, and for streams, which would never end.

    An asynchronous context: entering opens the daemon, leaving closes it, whatever happened.
    ``serve(sockets=[sock])`` in between runs until ``stop``.
    """

    def __init__(self, daemon: Daemon, settings: DaemonSettings, version: str, url: str) -> None:
        self.daemon = daemon
        self._settings = settings
        self._version = version
        self._url = url
        self._on_started: list[Callable[[], None]] = []
        self._daemon_file = settings.run_dir / standing.DAEMON_FILE
        application = make_application(
            daemon, version=version, stop=self.stop, faces=[Face(daemon, version, body).routes]
        )
        super().__init__(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,
                lifespan="off",
                loop="asyncio",
                ws="websockets-sansio",
                # What clients say there is ignored; packing for loopback costs more than it saves.
                ws_max_size=_MAX_HEARD_BYTES,
                ws_per_message_deflate=False,
                ws_ping_interval=_PING_S,
                ws_ping_timeout=_PONG_S,
                # A header must not say where a request comes from: it decides who may speak.
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )

    @classmethod
    def of(cls, settings: DaemonSettings, sock: socket.socket) -> Self:
        """A server for a bound socket; to be made on the loop that it will run on.

        Raises:
            StoreError: The database can't be used.
        """
        version = importlib.metadata.version("treetap")
        daemon = Daemon(
            DaemonPlace(settings.run_dir, settings.host, settings.store_url),
            settings.configuration,
        )
        return cls(daemon, settings, version, _url(sock))

    def when_started(self, function: Callable[[], None]) -> None:
        """Call ``function`` once requests are answered."""
        self._on_started.append(function)

    def stop(self) -> None:
        """End it soon; may be called often, and from any thread."""
        self.should_exit = True

    async def __aenter__(self) -> Self:
        try:
            await self.daemon.start(self._url)
        except BaseException:
            await self.daemon.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        standing.remove(self._daemon_file)
        await self.daemon.close()
        log.info("daemon %d has ended", os.getpid())

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        standing.write_atomically(self._daemon_file, self._identity())
        log.info("daemon %s, process %d, serves %s", self._version, os.getpid(), self._url)
        if self._settings.configuration.token_complaint:
            log.warning("%s", self._settings.configuration.token_complaint)
        for function in self._on_started:
            function()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Nobody shall find it any more; and streams end now, or uvicorn would wait for them.
        standing.remove(self._daemon_file)
        self.daemon.feed.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn would raise them again after its end, and kill us before ours.
        yield

    def _identity(self) -> dict[str, object]:
        return {
            "pid": os.getpid(),
            "start_ns": process_start_ns(os.getpid()),
            "url": self._url,
            "link": self.daemon.link.endpoint,
            "version": self._version,
        }


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
