"""A supervised program's output, relayed to a logger, against that logger called in a bare loop.

The loop has its million messages made beforehand; the supervisor reads, splits, decodes and tags them
as well. Both call the same logger, with a handler that counts or one that formats. The supervisor has
one core, its program the other. Long output is compared with shorter output of the same kind: what is
linear has a ratio of 1.
"""

from __future__ import annotations

import gc
import logging
import resource
import subprocess
import sys
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import trio

from benchmarks.clock import pin
from benchmarks.sample import Claim, Sample, sample
from benchmarks.worker import Worker, serve
from treetap.process import IO, supervise_run_process

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.setting import Setting

GROUP = "process_relay"
LINES = 1_000_000
SHORT_MB, LONG_MB = 8, 64
STDERR_MB = 500
STARTS = 40

_LONG_LINE = "import os\npiece = b'x' * 1_000_000\nfor _ in range({}): os.write(1, piece)"
_STDERR = (
    "import os\npiece = b'a line of 50 bytes, as a daemon in trouble has it\\n' * 20_000\n"
    "for _ in range({}): os.write(2, piece[:1_000_000])"
)


def measure(setting: Setting) -> list[Claim]:
    with Worker(f"benchmarks.claims.{GROUP}", core=1) as worker:
        # A pair takes nine seconds: five of them say enough.
        few = max(2, min(5, setting.rounds))
        pairs = {
            handler: [worker.ask("lines", handler=handler) for _ in range(few)]
            for handler in HANDLERS
        }
        long = worker.ask("long_line", rounds=setting.rounds)
        stderr = worker.ask("stderr", rounds=few)
        starts = worker.ask("starts", rounds=setting.rounds)
    with Worker(f"benchmarks.claims.{GROUP}", core=1) as worker:
        peaks = worker.ask("peaks")
    return [
        Claim(
            GROUP,
            "a million short lines to a logger, against that logger in a bare loop",
            _ratio(pairs["counting"]),
            "x",
            at_most=1.3,
            note="handler that counts; tractor: 2.7 x, 80,270 lines/s",
        ),
        Claim(
            GROUP,
            "the same, with a handler that formats",
            _ratio(pairs["formatting"]),
            "x",
            at_most=1.3,
        ),
        Claim(
            GROUP,
            "lines relayed a second",
            sample(LINES / relayed for _, relayed in pairs["counting"]),
            "/s",
        ),
        Claim(
            GROUP,
            f"a line of {LONG_MB} MB without a newline, a byte against one of {SHORT_MB} MB",
            sample(row["long_s"] / row["short_s"] * SHORT_MB / LONG_MB for row in long),
            "x",
            at_most=1.5,
        ),
        Claim(
            GROUP,
            f"a line of {LONG_MB} MB without a newline",
            sample(row["long_s"] * 1e3 for row in long),
            "ms",
            note="tractor: 32,200 ms",
        ),
        Claim(
            GROUP,
            "peak memory of the supervisor, over that for a short line",
            sample([peaks["long_line"]]),
            "MB",
            at_most=8,
            note="a piece of 1 MiB, as bytes, as text and as a record; tractor: 185 MB",
        ),
        Claim(
            GROUP,
            f"{STDERR_MB} MB of stderr, read and kept in part",
            sample(STDERR_MB / elapsed_s for elapsed_s in stderr),
            "MB/s",
            note="tractor: 866 MB/s",
        ),
        Claim(
            GROUP,
            "peak memory of the supervisor meanwhile, over that for 1 MB",
            sample([peaks["stderr"]]),
            "MB",
            at_most=4,
        ),
        Claim(
            GROUP,
            "a program that does nothing, against trio.run_process",
            _ratio(starts),
            "x",
        ),
    ]


def _ratio(pairs: list[tuple[float, float]]) -> Sample:
    return sample(ours / bare for bare, ours in pairs)


class _Counting(logging.Handler):
    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1


class _Formatting(_Counting):
    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)
        self.count += 1


HANDLERS = {"counting": _Counting, "formatting": _Formatting}


def _logger(name: str, handler: logging.Handler) -> logging.Logger:
    logger = logging.getLogger(f"benchmark.{name}")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger.handlers = [handler]
    return logger


def _supervised(command: list[str], **options: Any) -> float:
    """Seconds from the call to the return; the program has a core of its own."""
    began = perf_counter()
    trio.run(partial(supervise_run_process, command, preexec_fn=partial(pin, 0), **options))
    return perf_counter() - began


def _bare(logger: logging.Logger) -> float:
    messages = [f"[seq:out] {number}" for number in range(1, LINES + 1)]
    gc.collect()
    began = perf_counter()
    for message in messages:
        logger.log(IO, message)
    return perf_counter() - began


def lines(handler: str) -> tuple[float, float]:
    """Seconds of the bare loop, and of the relay."""
    counting = HANDLERS[handler]()
    logger = _logger(handler, counting)
    bare_s = _bare(logger)
    relayed_s = _supervised(["seq", str(LINES)], relay_stdout=True, label="seq", logger=logger)
    assert counting.count == 2 * LINES, counting.count
    return bare_s, relayed_s


def _relay_long_line(megabytes: int) -> float:
    program = [sys.executable, "-I", "-S", "-c", _LONG_LINE.format(megabytes)]
    return _supervised(
        program, relay_stdout=True, label="long", logger=_logger("long", _Counting())
    )


def _read_stderr(megabytes: int) -> float:
    return _supervised([sys.executable, "-I", "-S", "-c", _STDERR.format(megabytes)])


def long_line(rounds: int) -> list[dict[str, float]]:
    _relay_long_line(1)
    measured = []
    for _ in range(rounds):
        # The start of the program is in both, so that it is taken off.
        start_s = _relay_long_line(0)
        short_s = _relay_long_line(SHORT_MB) - start_s
        long_s = _relay_long_line(LONG_MB) - start_s
        measured.append({"short_s": short_s, "long_s": long_s})
    return measured


def stderr(rounds: int) -> list[float]:
    _read_stderr(1)
    return [_read_stderr(STDERR_MB) for _ in range(rounds)]


def peaks() -> dict[str, float]:
    """Megabytes by which the peak of this process rises, in one that has done nothing else."""
    _read_stderr(1)
    _relay_long_line(0)
    before = _peak_mb()
    _read_stderr(STDERR_MB)
    after_stderr = _peak_mb()
    _relay_long_line(LONG_MB)
    return {"stderr": after_stderr - before, "long_line": _peak_mb() - after_stderr}


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def starts(rounds: int) -> list[tuple[float, float]]:
    """``(trio.run_process, supervised)``: seconds of a number of programs, one after another."""

    async def bare() -> None:
        for _ in range(STARTS):
            await trio.run_process(["true"], stdin=subprocess.DEVNULL, capture_stderr=True)

    async def ours() -> None:
        for _ in range(STARTS):
            await supervise_run_process(["true"])

    def seconds(of: Callable[[], Any]) -> float:
        began = perf_counter()
        trio.run(of)
        return perf_counter() - began

    seconds(ours)
    return [(seconds(bare), seconds(ours)) for _ in range(rounds)]


if __name__ == "__main__":
    serve(
        {"lines": lines, "long_line": long_line, "stderr": stderr, "starts": starts, "peaks": peaks}
    )
