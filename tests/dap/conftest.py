from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from treetap import dap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
OBSERVED = HERE / "observed.py"
#: For a machine that is busy with other things.
PATIENT_S = 60.0


def line_of(mark: str, file: Path = OBSERVED) -> int:
    """The line that ends with this comment."""
    lines = file.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith(f"# {mark}"))


class Observed:
    """A running ``observed.py``."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-Xfrozen_modules=off", str(OBSERVED), self.host],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self.answer())

    def answer(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def ask(self, expression: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(expression + "\n")
        self.process.stdin.flush()

    async def do(self, expression: str) -> str:
        """Evaluate it over there; the ``repr`` of what it gave."""
        self.ask(expression)
        return await asyncio.to_thread(self.answer)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given up on stays in the program, which tests share."""
    monkeypatch.setattr("treetap.dap.by_agent._LEAVE_S", PATIENT_S)


@pytest.fixture(scope="session")
def shared_program() -> Iterator[Observed]:
    program = Observed()
    yield program
    program.end()


@pytest.fixture
def program(shared_program: Observed) -> Iterator[Observed]:
    """A program that tests share, one after the other: each leaves it as it was."""
    yield shared_program
    assert shared_program.process.poll() is None, "the program has ended by this test"


@pytest.fixture
def own_program() -> Iterator[Observed]:
    program = Observed()
    yield program
    program.end()


class Watched:
    """A session, and all that it told of."""

    def __init__(self) -> None:
        self.hits: list[dap.Hit] = []
        self.faults: list[dap.Fault] = []
        self.placed: list[tuple[str, dap.Placed]] = []
        self.ends: list[str] = []
        self.session: Any = None

    async def attach(self, host: str, port: int, language: str = "python", **more: Any) -> Watched:
        more.setdefault("timeout_s", PATIENT_S)
        self.session = await dap.attach(
            host,
            port,
            language,
            on_hit=self.hits.append,
            on_fault=self.faults.append,
            on_placed=lambda file, placed: self.placed.append((file, placed)),
            on_end=self.ends.append,
            **more,
        )
        return self

    def values(self, point_id: str) -> list[tuple[Any, ...]]:
        return [hit.values for hit in self.hits if hit.id == point_id]


@contextlib.asynccontextmanager
async def watching(program: Observed, **more: Any) -> Any:
    try:
        more.setdefault("timeout_s", PATIENT_S / 3)
        watched = await Watched().attach(program.host, program.port, **more)
    except dap.DapError as exc:
        if exc.slug not in ("dap-slow", "dap-ended"):
            raise
        # debugpy's adapter may lock up between two clients (see session): then another program.
        program.end()
        program.start()
        watched = await Watched().attach(program.host, program.port, **more)
    try:
        yield watched
    finally:
        await watched.session.close()


async def until(condition: Callable[[], Any]) -> Any:
    """Wait for something true; the loop goes on meanwhile."""
    async with asyncio.timeout(PATIENT_S):
        while not (found := condition()):
            await asyncio.sleep(0.005)
    return found


def safe(text: str) -> str:
    """A name for a test, out of anything."""
    return re.sub(r"\W+", "_", text)[:40]
