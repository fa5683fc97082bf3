"""A real daemon for a test: uvicorn, sockets and SQLite, on a thread of this process."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from treetap.app.port import bind
from treetap.app.server import DaemonServer
from treetap.app.settings import DaemonSettings
from treetap.client import DaemonClient
from treetap.daemon import Daemon
from treetap.daemon.configuration import Configuration
from treetap.daemon.link_session import LINK_LIMITS, LinkLimits
from treetap.link.connection import LinkConnection
from treetap.model.node import NodeIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["RunningDaemon", "identity", "running_daemon", "status"]


#: For a machine that is busy with other things.
_PATIENCE_S = 100


class RunningDaemon(NamedTuple):
    url: str
    client: DaemonClient
    daemon: Daemon
    server: DaemonServer
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread

    def call(self, function: Callable[[], Any]) -> Any:
        """Call ``function`` on the daemon's loop; its result."""

        async def on_loop() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(on_loop(), self.loop).result(_PATIENCE_S)

    def connect(self, node: NodeIdentity, *, unix: bool = True, token: str = "") -> LinkConnection:
        endpoint = self.daemon.link.endpoint
        reach = {"unix": endpoint["unix"]} if unix else {**endpoint, "unix": None}
        return LinkConnection.open(reach, node, token=token)

    def flush(self) -> None:
        """Until what the links brought is in the store."""
        self.call(self.daemon.ingest.tell_dropped)
        self.daemon.store.flush(_PATIENCE_S)
        # Rows come before the calls that were asked for earlier: nodes, probes, the journal.
        self.daemon.store._writer.call(lambda _connection: None).result(_PATIENCE_S)


@contextlib.contextmanager
def running_daemon(
    home: Path,
    *,
    token: str = "",
    hosts: tuple[str, ...] = (),
    link_limits: LinkLimits = LINK_LIMITS,
    **settings: Any,
) -> Iterator[RunningDaemon]:
    """Args:
    **settings: Of the daemon, as a file has them: ``rate_limit__burst=3``.
    """
    arguments = {
        "token": token,
        "daemon.port": 0,
        "daemon.allowed_hosts": hosts,
        "link.handshake_timeout_s": link_limits.handshake_timeout_s,
        "link.max_unsent_mib": link_limits.max_unsent_bytes / 2**20,
        **{name.replace("__", "."): value for name, value in settings.items()},
    }
    of = DaemonSettings(home, Configuration(home, arguments, environ={}))
    of.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    sock = bind(of.host, 0)
    started = threading.Event()
    found: dict[str, Any] = {}

    async def main() -> None:
        async with DaemonServer.of(of, sock) as server:
            found.update(server=server, daemon=server.daemon, loop=asyncio.get_running_loop())
            server.when_started(started.set)
            await server.serve(sockets=[sock])

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as exc:
            found["error"] = exc
            raise
        finally:
            started.set()

    thread = threading.Thread(target=run, name="daemon")
    thread.start()
    assert started.wait(_PATIENCE_S)
    assert "error" not in found, found.get("error")
    url = found["daemon"].url
    with DaemonClient(url, token=token, timeout_s=_PATIENCE_S) as client:
        try:
            yield RunningDaemon(
                url, client, found["daemon"], found["server"], found["loop"], thread
            )
        finally:
            found["server"].stop()
            thread.join(_PATIENCE_S)
            sock.close()
    assert not thread.is_alive()


def identity(
    pid: int = 4242, *, name: str = "shop", start_ns: int = 7, **fields: Any
) -> NodeIdentity:
    return NodeIdentity(name=name, pid=pid, start_ns=start_ns, host="here", **fields)


def status(probe_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "probe_id": probe_id,
        "state": "armed",
        "engine": "injecting",
        "why": "",
        "sites": ["/srv/shop.py:3 f"],
        "differs": False,
        "error": [],
        "hits": 0,
        "recorded": 0,
        "skipped": {},
        "lost": 0,
        **fields,
    }
