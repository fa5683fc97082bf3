"""A machine for one test: a home and a daemon of its own, real commands, real programs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wait_until

TIMEOUT_S = 40


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

    def nodes(self) -> dict[int, dict[str, Any]]:
        """The live nodes by pid."""
        return {node["pid"]: node for node in self.objects("ps", "--json")}

    def wait_for_node(self, pid: int) -> dict[str, Any]:
        return wait_until(lambda: self.nodes().get(pid), 20)

    def daemon_pid(self) -> int:
        return int(self.objects("daemon", "status", "--json")[0]["pid"])

    def events(self, *arguments: str) -> list[dict[str, Any]]:
        return self.objects("events", "--json", "--limit", "0", *arguments)

    def close(self) -> None:
        self.treetap("daemon", "stop")
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@pytest.fixture
def machine(tmp_path: Path):
    made = Machine(tmp_path)
    yield made
    made.close()
