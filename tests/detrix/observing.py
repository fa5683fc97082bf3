"""A daemon, a program behind it, and what a client of Detrix's does with the two."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.compat.detrix.conftest import PATIENCE
from tests.conftest import wait_until
from tests.detrix.described import described_client
from tests.running_daemon import running_daemon
from treetap.api.v1 import metric_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.running_daemon import RunningDaemon

PROGRAM = Path(__file__).with_name("program.py")
LINKED, DEBUGPY = "linked", "debugpy"
_names = itertools.count(1)


def line_of(text: str, source: Path = PROGRAM) -> int:
    lines = source.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


class Served(NamedTuple):
    """Attributes:
    running: The daemon.
    http: Speaks to its ``/api/v1``, and holds the answers against the OpenAPI document.
    home: Of it, and of the programs that it observes.
    """

    running: RunningDaemon
    http: httpx.Client
    home: Path

    @property
    def url(self) -> str:
        return self.running.url


class Observed:
    """A program, and the connection that it is.

    Attributes:
        http: Of the daemon.
        way: How it is observed.
        connection: ``connectionId``.
        pid: Of the program.
    """

    def __init__(self, served: Served, way: str, name: str = "") -> None:
        self.http = served.http
        self.way = way
        self._client = served.running.client
        self.name = name or f"shop-{next(_names)}"
        self._process = subprocess.Popen(
            [sys.executable, "-Xfrozen_modules=off", str(PROGRAM), way, self.name, served.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **PATIENCE, "TREETAP_HOME": str(served.home)},
        )
        self.pid = self._process.pid
        port = int(self._said())
        if way == DEBUGPY:
            self.connection = self.register(port)["connectionId"]
            # The answer to a registration doesn't wait for an adapter that is slow.
            connected(self.http, self.connection)
        else:
            self.connection = wait_until(self._own_connection)["connectionId"]

    def register(self, port: int, **fields: Any) -> dict[str, Any]:
        asked = {
            "host": "127.0.0.1",
            "port": port,
            "language": "python",
            "name": self.name,
            "workspaceRoot": str(PROGRAM.parent),
            "hostname": os.uname().nodename,
            **fields,
        }
        return post(self.http, "connections", asked, 201)

    def work(self, times: int) -> None:
        """Have the observed line run so often; it has, when this returns."""
        assert self._asked(str(times)).startswith("done")

    def say(self, line: str) -> None:
        """Have it print a line to its standard output."""
        assert self._asked(line) == line
        assert self._said().startswith("done")

    def metric(
        self, name: str, status: int = 201, *, waits: bool = True, **fields: Any
    ) -> dict[str, Any]:
        """Ask for a metric at the observed line, and wait until it is armed."""
        asked = {
            "name": name,
            "connectionId": self.connection,
            "location": {"file": str(PROGRAM), "line": line_of("# observed")},
            "expressions": ["number"],
            "language": "python",
            "enabled": True,
            **fields,
        }
        answer = post(self.http, "metrics", asked, status)
        if status == 201 and asked["enabled"] and waits:
            self.armed(answer["metricId"])
        return answer

    def armed(self, metric: int) -> None:
        wait_until(lambda: self.show(metric)["state"] == "armed")

    def show(self, metric: int) -> dict[str, Any]:
        return get(self.http, f"metrics/{metric}")

    def probe(self, metric: int) -> dict[str, Any]:
        """The same by our own API, with how it fares in each process."""
        return self._client.probe(f"p{metric}")

    def events(self, metric: int, count: int, **query: Any) -> list[dict[str, Any]]:
        """Events of a metric, newest first, once there are so many."""
        query = {"metricId": metric, "limit": 1000, **query}

        def enough() -> list[dict[str, Any]] | None:
            found = get(self.http, "events", **query)
            return found if len(found) >= count else None

        return wait_until(enough) if count else get(self.http, "events", **query)

    def counted(self, metric: int, hits: int) -> list[dict[str, Any]]:
        """All events of a metric that takes each hit, newest first, once they are there and counted."""
        self.events(metric, hits)
        # Counts are reported each second, rows come by themselves: either may be first.
        wait_until(lambda: min(self._counts(metric)) >= hits)
        assert self._counts(metric) == (hits, hits)
        return self.events(metric, hits)

    def _counts(self, metric: int) -> tuple[int, int]:
        shown = self.show(metric)
        return shown["hitCount"], shown["recordedCount"]

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _asked(self, word: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return self._said()

    def _said(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the program has ended"
        return line

    def _own_connection(self) -> dict[str, Any] | None:
        found = [c for c in get(self.http, "connections") if c["pid"] == self.pid]
        return found[0] if found else None


@contextlib.contextmanager
def serving(home: Path, **settings: Any) -> Iterator[Served]:
    """A daemon with a home of its own."""
    home.mkdir(mode=0o700, exist_ok=True)
    with (
        _no_budgets(),
        running_daemon(home, **settings) as running,
        described_client(f"{running.url}/api/v1") as http,
    ):
        yield Served(running, http, home)


@contextlib.contextmanager
def _no_budgets() -> Iterator[None]:
    """Metrics that no busy machine throttles: one slow hit can cost all of a second's budget.

    To change it later would arm a metric anew, whose count of hits begins at 0 again.
    """
    fields_of_new = metric_request.fields_of_new

    def unlimited(*asked: Any) -> dict[str, Any]:
        return {**fields_of_new(*asked), "budget_percent": 0}

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(metric_request, "fields_of_new", unlimited)
        yield


@contextlib.contextmanager
def observing(served: Served, way: str, name: str = "") -> Iterator[Observed]:
    """A program of its own."""
    observed = Observed(served, way, name)
    try:
        yield observed
    finally:
        observed.close()


def connected(http: httpx.Client, connection: str) -> dict[str, Any]:
    """A connection, once its process is observed."""

    def shown() -> dict[str, Any] | None:
        found: dict[str, Any] = get(http, f"connections/{connection}")
        return found if found["status"] == 3 else None

    return wait_until(shown)


def get(http: httpx.Client, path: str, status: int = 200, **query: Any) -> Any:
    answer = http.get(path, params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


def post(http: httpx.Client, path: str, body: Any = None, status: int = 200) -> Any:
    answer = http.post(path) if body is None else http.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()
