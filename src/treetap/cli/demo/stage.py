"""The demo's stage: a temporary home, a daemon and a web server, all taken down at the end."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from treetap.cli import live
from treetap.client import DaemonClient
from treetap.config.settings import resolve
from treetap.errors import DaemonError, TreetapError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from treetap.config.settings import Settings
    from treetap.node.registry import LiveNode

_START_TIMEOUT_S = 15.0
_END_TIMEOUT_S = 5.0
_POLL_S = 0.02
_BIG_FILE_BYTES = 8_000_000
#: Below what systems give out by themselves: no connection gets one of these before it is bound.
_PORTS = range(20_000, 32_000)


class Interruption:
    """Makes SIGTERM what ctrl-c is, and puts both off where they would leave something behind."""

    def __init__(self) -> None:
        self._former: dict[int, Any] = {}
        self._is_put_off = False
        self._has_come = False

    def catch(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._former[number] = signal.signal(number, self._take)

    def let_go(self) -> None:
        while self._former:
            signal.signal(*self._former.popitem())

    @contextlib.contextmanager
    def put_off(self) -> Iterator[None]:
        """Inside it an interruption waits for the end of the block."""
        self._is_put_off = True
        try:
            yield
        finally:
            self._is_put_off = False
        if self._has_come:
            self._has_come = False
            raise KeyboardInterrupt

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        if not self._is_put_off:
            raise KeyboardInterrupt
        self._has_come = True


class Stage:
    """A context manager: inside it the server serves, asleep, and the daemon runs.

    Attributes:
        settings: Of the temporary home.
        client: Of the daemon.
        node: The server's node.
        port: Where the server listens.
        server_pid: Process id of the server: that of the very process that was started.
    """

    settings: Settings
    client: DaemonClient
    node: LiveNode

    def __init__(self) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="treetap-demo-"))
        self._started: list[subprocess.Popen[bytes]] = []
        self._interruption = Interruption()
        self.port = _free_port()
        self.server_pid = 0
        daemon_url = f"http://127.0.0.1:{_free_port()}"
        home = self._root / "home"
        home.mkdir(mode=0o700)
        self.settings = resolve({"home": str(home), "daemon_url": daemon_url})
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("TREETAP_", "DETRIX_"))},
            "TREETAP_HOME": str(home),
            "TREETAP_DAEMON_URL": daemon_url,
            "PYTHONUNBUFFERED": "1",
        }

    def __enter__(self) -> Self:
        self._interruption.catch()
        try:
            self._start_daemon()
            self._start_server()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        with self._interruption.put_off():
            for process in reversed(self._started):
                _end(process)
            client = getattr(self, "client", None)
            if client is not None:
                client.close()
            shutil.rmtree(self._root, ignore_errors=True)
            self._interruption.let_go()

    def _start_daemon(self) -> None:
        url = str(self.settings.daemon_url)
        port = url.rpartition(":")[2]
        home = str(self.settings.home)
        command = [
            sys.executable,
            "-m",
            "treetap.app",
            "run",
            "--home",
            home,
            "--host",
            "127.0.0.1",
        ]
        process = self._start([*command, "--port", port], "daemon")
        self.client = DaemonClient(url)
        self._wait(process, "the daemon", self._daemon_answers)

    def _daemon_answers(self) -> bool:
        with contextlib.suppress(DaemonError):
            self.client.status()
            return True
        return False

    def _start_server(self) -> None:
        site = self._root / "site"
        _make_site(site)
        server = [sys.executable, "-m", "http.server", str(self.port), "--bind", "127.0.0.1"]
        process = self._start(
            [
                sys.executable,
                "-m",
                "treetap.cli",
                "run",
                "--name",
                "web",
                "--",
                *server,
                "--directory",
                str(site),
            ],
            "server",
        )
        self.server_pid = process.pid
        self._wait(process, "the web server", self._server_answers)
        self._wait(process, "the server's node", self._find_node)

    def _server_answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def _find_node(self) -> bool:
        for node in live.live_nodes(self.settings):
            if node.identity.pid == self.server_pid:
                self.node = node
                return True
        return False

    def _start(self, command: list[str], name: str) -> subprocess.Popen[bytes]:
        # A process that is started, and not yet in the list, would outlive us.
        with self._interruption.put_off(), (self._root / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # ctrl-c is for us; we end them in order
            )
            self._started.append(process)
        return process

    def _wait(
        self, process: subprocess.Popen[bytes], what: str, is_there: Callable[[], bool]
    ) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not is_there():
            if process.poll() is not None or time.monotonic() > deadline:
                raise TreetapError(
                    f"The demo can't start: {what} isn't there.", self._logs(), slug="demo-stage"
                )
            time.sleep(_POLL_S)

    def _logs(self) -> str:
        ends = []
        for log in sorted(self._root.glob("*.log")):
            ends += [
                f"{log.name}: {line}" for line in log.read_text(errors="replace").splitlines()[-5:]
            ]
        return "\n".join(ends) or "It said nothing."


def _make_site(site: Path) -> None:
    site.mkdir()
    (site / "index.html").write_text("<h1>treetap demo</h1>\n")
    (site / "orders.json").write_text('{"orders": [3, 5, 8]}\n')
    (site / "big.bin").write_bytes(b"\0" * _BIG_FILE_BYTES)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    """One that nobody has on the loopback address."""
    for port in random.sample(_PORTS, 100):
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
    raise OSError("a hundred ports of 127.0.0.1 were tried, and none can be bound")
