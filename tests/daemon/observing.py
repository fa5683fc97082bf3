"""Programs of others for tests: started, told what to do, killed."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.conftest import wait_until
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running_daemon import RunningDaemon

SOURCE = Path(__file__).with_name("observed.py")


def line_of(text: str, source: Path = SOURCE) -> int:
    """The line of ``observed.py`` that holds this."""
    lines = source.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


class Program:
    """``observed.py``, running."""

    def __init__(self, port: int = 0, *words: str, **options: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-Xfrozen_modules=off", str(SOURCE), str(port), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            **options,
        )
        self.pid = self._process.pid
        self.port = int(self._answer() or 0)

    def tell(self, word: str | int) -> list[str]:
        """Have it do one thing, and wait until that is done; what it said of it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        said = []
        while (line := self._answer()) != "done":
            assert line, "the program has ended"
            said.append(line)
        return said

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    def end(self) -> int:
        """It ends by itself; its exit code."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        return self._process.wait(60)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextlib.contextmanager
def program(*words: str, at: Program | None = None, **options: Any) -> Iterator[Program]:
    """One that is killed at the end.

    Args:
        words: For the program.
        at: Which one; a new one, on any port, if not given.
        options: Of ``Popen``.
    """
    started = at or Program(0, *words, **options)
    try:
        yield started
    finally:
        started.kill()


def on_a_port(port: int = 0) -> Program:
    """A program on a configured port: that one, or one that is free.

    Debugpy makes a port that it chose itself unusable for a minute, so a test of a port that is used
    again begins with one that was configured.
    """

    def start() -> Program | None:
        started = Program(port or free_port())
        if started.port:
            return started
        started.kill()
        return None

    return wait_until(start)


def on_loop(running: RunningDaemon, coroutine: Any) -> Any:
    return asyncio.run_coroutine_threadsafe(coroutine, running.loop).result(60)


def register(running: RunningDaemon, port: int, **fields: Any) -> Any:
    """The target of what was registered."""
    fields = {"host": "127.0.0.1", "language": "python", "name": "shop", **fields}
    return on_loop(running, running.daemon.targets.register(port=port, **fields))


def status_of(running: RunningDaemon, probe: dict[str, Any]) -> dict[str, Any]:
    """How a probe fares in the one node that has it; empty if none has."""
    nodes = running.client.probe(probe["id"])["nodes"]
    assert len(nodes) <= 1, nodes
    return nodes[0] if nodes else {}


def armed(running: RunningDaemon, probe: dict[str, Any]) -> dict[str, Any]:
    """Its status, once it is armed."""
    wait_until(lambda: status_of(running, probe).get("state") == "armed")
    return status_of(running, probe)


def hits(running: RunningDaemon, probe: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """The events of a probe, once there are so many."""

    def found() -> list[dict[str, Any]]:
        # Cheap, so that what is waited for is not kept from happening.
        if running.client.probe(probe["id"])["recorded"] < count:
            time.sleep(0.02)
        running.flush()
        events = running.client.events(order="asc", limit=1000, probe=probe["id"])["events"]
        return events if len(events) >= count else []

    return wait_until(found)
