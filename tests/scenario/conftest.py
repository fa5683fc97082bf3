"""A machine for one test: a home and a daemon of its own, real commands, real programs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.ports import free_port
from treetap.cli import live
from treetap.client import DaemonClient, find_daemon
from treetap.config.settings import resolve
from treetap.node.identity import process_start_ns

TIMEOUT_S = 100


class Machine:
    """What a user has: a home, a shell, and nothing started yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(mode=0o700)
        self.daemon_url = f"http://127.0.0.1:{free_port()}"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("TREETAP_", "DETRIX_"))},
            "TREETAP_HOME": str(self.home),
            "TREETAP_DAEMON_URL": self.daemon_url,
            "PYTHONUNBUFFERED": "1",
        }
        self._started: list[subprocess.Popen[str]] = []

    def treetap(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "treetap.cli", *arguments],
            env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=TIMEOUT_S,
        )  # fmt: skip

    def done(self, *arguments: str) -> str:
        """Run a command that must succeed; what it wrote."""
        finished = self.treetap(*arguments)
        assert finished.returncode == 0, f"{arguments}: {finished.stdout}{finished.stderr}"
        return finished.stdout

    def objects(self, *arguments: str) -> list[dict[str, Any]]:
        """The JSON lines of a command."""
        return [json.loads(line) for line in self.done(*arguments).splitlines()]

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command that goes on; it is ended with the test."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            [sys.executable, "-m", "treetap.cli", *arguments],
            **{**pipes, **options}, env=self.environment, cwd=self.folder, text=True, start_new_session=True,
        )  # fmt: skip
        self._started.append(process)
        return process

    def program(self, name: str, source: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source).lstrip("\n"))
        return path

    # What a test waits for is asked for in this process: a command takes a third of a second.

    def nodes(self) -> dict[int, dict[str, Any]]:
        """The live nodes by pid, with their status."""
        settings = resolve({"home": str(self.home), "daemon_url": self.daemon_url})
        nodes = live.live_nodes(settings)
        # None of them is stopped: on a busy machine each answers in the end.
        states = live.states(settings, nodes, timeout_s=TIMEOUT_S)
        return {
            node.identity.pid: {**node.identity.to_dict(), **states[node.identity.id]}
            for node in nodes
        }

    def wait_for_node(self, pid: int) -> dict[str, Any]:
        return wait_until(lambda: self.nodes().get(pid), 20)

    def client(self) -> DaemonClient:
        url = find_daemon(self.home)
        assert url is not None, "no daemon runs"
        return DaemonClient(url)

    def daemon_pid(self) -> int:
        with self.client() as client:
            return int(client.status()["pid"])

    def probe(self, probe: str) -> dict[str, Any]:
        with self.client() as client:
            return client.probe(probe)

    def events(self, probe: str | None = None) -> list[dict[str, Any]]:
        """All stored events, oldest first."""
        with self.client() as client:
            return list(reversed(list(client.all_events(probe=probe, limit=1000))))

    def close(self) -> None:
        # Not by a command, which takes half a second to say that there is none.
        if find_daemon(self.home) is not None:
            pid = self.daemon_pid()
            with self.client() as client:
                client.shutdown()
            wait_until(lambda: not process_start_ns(pid))
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture
def machine(tmp_path: Path):
    made = Machine(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared_machine(tmp_path_factory: pytest.TempPathFactory):
    """One for all tests of a module that only look."""
    made = Machine(tmp_path_factory.mktemp("machine"))
    yield made
    made.close()
