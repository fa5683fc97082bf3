"""Processes that are measured: each claim's file is also the program of its worker.

A worker speaks JSON, one value a line: commands on its standard input, answers on its standard output.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

ROOT = Path(__file__).resolve().parents[1]
CORE = "BENCHMARK_CORE"
#: A peer that hangs costs its own claim, not the run.
LIMIT_S = 120.0


class WorkerError(Exception):
    """A worker ended before it answered."""


class Worker:
    """A process of this benchmark; a context manager that ends it.

    Args:
        module: To run with ``-m``.
        python: Interpreter; this one's if not given.
        arguments: Of the program.
        variables: More of the environment; ``None`` takes one away.
        core: Core to keep the process on.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        python: str = sys.executable,
        variables: Mapping[str, str | None] | None = None,
        core: int | None = None,
    ) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        for name, value in (variables or {}).items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value
        if core is not None:
            environment[CORE] = str(core)
        self.process = subprocess.Popen(
            [python, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, command: str, **fields: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"command": command, **fields}) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """The next line of the worker, which is killed if it takes longer than ``LIMIT_S``.

        Raises:
            WorkerError: It ended instead.
        """
        assert self.process.stdout is not None
        limit = threading.Timer(LIMIT_S, self.process.kill)
        limit.start()
        try:
            line = self.process.stdout.readline()
        finally:
            limit.cancel()
        if not line:
            raise WorkerError(f"{self.process.args!r} ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, command: str, **fields: Any) -> Any:
        self.tell(command, **fields)
        return self.answer()


def serve(commands: Mapping[str, Callable[..., Any]]) -> None:
    """A worker's main loop: answer commands until the input ends."""
    if core := os.environ.get(CORE):
        from benchmarks.clock import pin

        pin(int(core))
    for line in sys.stdin:
        fields = json.loads(line)
        outcome = commands[fields.pop("command")](**fields)
        print(json.dumps(outcome), flush=True)
