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
from typing import TYPE_CHECKING

from treetap.cli import exitcode
from treetap.cli.spec import SEPARATOR

if TYPE_CHECKING:
    import trio

    from treetap.cli.run import Asked

_EXTRA = "treetap run --relay needs the package's extra: pip install 'treetap[trio]'.\n"

#: Without the working directory in sys.path, where a file may have the name of one of our modules.
_PROGRAM = "import sys; sys.path.append({!r}); from treetap.cli.__main__ import main; main()"
_PACKAGES = str(Path(__file__).resolve().parents[2])

#: Who sends one of these wants the command to end.
ENDING = (signal.SIGTERM, signal.SIGHUP)


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
    for probe in asked.probes:
        words += ["--probe", *probe.split(SEPARATOR)]
    return [*words, "--", *asked.command]


async def _supervise(asked: Asked) -> int:
    import trio

    from treetap.process import bare_errors, supervise_run_process

    code = exitcode.OK
    ended_by: list[int] = []
    with bare_errors():
        async with trio.open_nursery() as nursery:
            await nursery.start(_end_on_signals, nursery.cancel_scope, ended_by)
            try:
                await supervise_run_process(
                    command_line(asked),
                    label=asked.name or Path(asked.command[0]).name,
                    relay_stdout=True,
                    relay_stderr=True,
                    logger=_log(),
                    start_new_session=True,
                )
            except subprocess.CalledProcessError as exc:
                code = exc.returncode
            nursery.cancel_scope.cancel()
    if ended_by:
        code = -ended_by[0]
    return code if code >= 0 else 128 - code


async def _end_on_signals(
    scope: trio.CancelScope,
    ended_by: list[int],
    task_status: trio.TaskStatus[None],
) -> None:
    import trio

    with trio.open_signal_receiver(*ENDING) as signals:
        task_status.started()
        async for number in signals:
            ended_by.append(number)
            scope.cancel()


def _log() -> logging.Logger:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("treetap.run")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [handler]
    return logger
