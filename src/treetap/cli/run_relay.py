"""``treetap run --relay``: the program without a terminal, supervised, its lines on standard error.

What is supervised is ``treetap run`` without the option: it becomes the program, so that a tree is
made in one way, with the program's own process as its root.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from treetap.cli import exitcode
from treetap.cli.spec import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import trio

    from treetap.cli.run import Asked

_EXTRA = "treetap run --relay needs the package's extra: pip install 'treetap[trio]'.\n"

#: Without the working directory in sys.path, where a file may have the name of one of our modules.
_PROGRAM = "import sys; sys.path.append({!r}); from treetap.cli.__main__ import main; main()"
_PACKAGES = str(Path(__file__).resolve().parents[2])

#: Who sends one of these wants the command to end.
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def relay(asked: Asked) -> int:
    """Supervise the command to its end; its exit code, or 128 and the signal that ended it."""
    try:
        import trio
    except ModuleNotFoundError:
        sys.stderr.write(_EXTRA)
        return exitcode.FAILURE
    return trio.run(_supervise, asked)


def command_line(asked: Asked) -> list[str]:
    """``treetap run`` for the same command, in this interpreter, without ``--relay``."""
    words = [sys.executable, "-P", "-c", _PROGRAM.format(_PACKAGES), "run"]
    if asked.name:
        words += ["--name", asked.name]
    if asked.awake:
        words.append("--awake")
    if asked.on_crash:
        words.append("--on-crash")  # without a terminal it says in one line that it has none
    for probe in asked.probes:
        words += ["--probe", *probe.split(SEPARATOR)]
    return [*words, "--", *asked.command]


class _Ending:
    """Why the command is ended, if not by itself: the signal that asked for it first.

    Args:
        scope: Cancelled then.
    """

    def __init__(self, scope: trio.CancelScope) -> None:
        self.scope = scope
        self.number: int | None = None

    def ask(self, number: int) -> None:
        if self.number is None:
            self.number = number
        self.scope.cancel()


async def _supervise(asked: Asked) -> int:
    import trio

    from treetap.process import bare_errors

    ending = _Ending(trio.CancelScope())
    code = exitcode.OK
    # Received until the command has ended: by a second signal this process would end before it.
    with trio.open_signal_receiver(*ENDING) as signals, bare_errors():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_end_on_signals, signals, ending)
            with ending.scope:
                code = await _run(asked, _log(ending))
            nursery.cancel_scope.cancel()
    if ending.number is not None:
        code = -ending.number
    return code if code >= 0 else 128 - code


async def _run(asked: Asked, logger: logging.Logger) -> int:
    from treetap.process import supervise_run_process

    try:
        await supervise_run_process(
            command_line(asked),
            label=asked.name or Path(asked.command[0]).name,
            relay_stdout=True,
            relay_stderr=True,
            logger=logger,
            start_new_session=True,
        )
    except subprocess.CalledProcessError as exc:
        return exc.returncode
    return exitcode.OK


async def _end_on_signals(signals: AsyncIterator[int], ending: _Ending) -> None:
    async for number in signals:
        ending.ask(number)


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to standard error; when nobody reads that any more, the command ends as in a pipeline."""

    def __init__(self, ending: _Ending) -> None:
        super().__init__()
        self._ending = ending

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - as logging has it
        if isinstance(sys.exception(), BrokenPipeError):
            self._ending.ask(signal.SIGPIPE)
        else:
            super().handleError(record)


def _log(ending: _Ending) -> logging.Logger:
    handler = _Handler(ending)
    handler.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("treetap.run")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [handler]
    return logger
