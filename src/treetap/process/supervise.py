"""``supervise_run_process``: any program, from its start to its end, in one task.

stdin of the program is always the null device. Its stdout is that too, unless it is relayed or given
(``None`` given means: inherit). Its stderr is read if it is relayed, or for the error. So it never has
the terminal of the program that starts it, unless that is what ``stdout=None`` asks for.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import trio

from treetap.process import holding, killing
from treetap.process import level as levels
from treetap.process.failure import bare_errors, failure
from treetap.process.handing import ChannelSink, Line
from treetap.process.harmless import safe_repr
from treetap.process.lines import LineSplitter
from treetap.process.orders import NOT_GIVEN, Command, Orders
from treetap.process.reading import Reader, Sink, finish
from treetap.process.relay import Logger, LogSink
from treetap.process.tail import HeadAndTail

if TYPE_CHECKING:
    from collections.abc import Collection

    from trio.lowlevel import FdStream

    from treetap.process.handing import Stream

#: Where lines go, and what a supervisor has to say, unless another logger is given.
LOGGER = logging.getLogger("treetap.process")


@trio.lowlevel.enable_ki_protection
async def supervise_run_process(
    cmd: Command,
    *,
    check: bool = True,
    label: str | None = None,
    relay_stdout: bool = False,
    relay_stderr: bool = False,
    relay_level: str | int = "io",
    logger: Logger = LOGGER,
    lines: trio.MemorySendChannel[Line] | None = None,
    stdout: Any = NOT_GIVEN,
    merge_stderr: bool = False,
    keep_stdout: bool = False,
    keep_bytes: tuple[int, int] = (16384, 16384),
    ok: Collection[int] = (0,),
    cancel_grace_s: float = 5.0,
    kill_tree: bool = False,
    pipe_grace_s: float = 0.5,
    max_line_bytes: int = 1 << 20,
    prompt_after_s: float = 0.25,
    escape_control: bool = True,
    task_status: trio.TaskStatus[trio.Process] = trio.TASK_STATUS_IGNORED,
    **run_process_kwargs: Any,
) -> None:
    """Run a program to its end; ``await nursery.start(partial(…))`` gives its ``trio.Process``.

    ``docs/process.md`` says what each argument does.

    Raises:
        subprocess.CalledProcessError: With ``check``, the program's code is none of ``ok``; bare.
        SupervisionError: An argument makes no sense. Nothing was started.
        OSError: The program can't be started.
    """
    # Each argument but these two is a field of the same name, there and only there looked at.
    given = {name: value for name, value in locals().items() if name in Orders.__slots__}
    orders = Orders(command=cmd, options=run_process_kwargs, **given)
    with nullcontext() if lines is None else lines:
        orders.validate()
        supervisor = _Supervisor(orders)
        await trio.lowlevel.checkpoint_if_cancelled()
        # A program that has started has a supervisor, whoever is cancelled meanwhile.
        with trio.CancelScope(shield=True):
            process = await trio.lowlevel.open_process(cmd, **orders.popen_options())
        await supervisor.run(process, task_status)


class _Intake(NamedTuple):
    """What becomes of one stream."""

    kept: HeadAndTail | None
    splitter: LineSplitter | None
    sink: Sink | None


class _Supervisor:
    """One program, and the readers of its pipes. Made before the program: nothing here fails later."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._name = orders.name()
        self._log_sinks: list[LogSink] = []
        self._remarks: list[str] = []
        self._out = self._intake(
            "out",
            is_kept=orders.keep_stdout
            or (orders.merge_stderr and orders.check and orders.has_stdout_pipe),
            is_relayed=orders.relay_stdout or (orders.merge_stderr and orders.relay_stderr),
        )
        self._err = self._intake("err", is_kept=orders.check, is_relayed=orders.relay_stderr)

    def _intake(self, stream: Stream, *, is_kept: bool, is_relayed: bool) -> _Intake:
        orders = self._orders
        kept = HeadAndTail(*orders.keep_bytes) if is_kept else None
        if not is_relayed:
            return _Intake(kept, None, None)
        sink: Sink
        if orders.lines is not None:
            sink = ChannelSink(orders.lines, stream)
        else:
            tag = self._name if orders.merge_stderr else f"{self._name}:{stream}"
            level = levels.resolve(orders.relay_level)
            sink = LogSink(orders.logger, level, tag, escape_control=orders.escape_control)
            self._log_sinks.append(sink)
        return _Intake(kept, LineSplitter(orders.max_line_bytes), sink)

    def _readers_of(self, process: trio.Process) -> list[Reader]:
        pipes = []
        if self._orders.has_stdout_pipe:
            pipes.append((process.stdout, self._out))
        if self._orders.has_stderr_pipe:
            pipes.append((process.stderr, self._err))
        patience_s = self._orders.prompt_after_s
        return [Reader(cast("FdStream", pipe), *intake, patience_s) for pipe, intake in pipes]

    async def run(self, process: trio.Process, task_status: trio.TaskStatus[trio.Process]) -> None:
        readers = self._readers_of(process)
        with bare_errors():
            async with trio.open_nursery() as nursery:
                for reader in readers:
                    nursery.start_soon(reader.run)
                try:
                    task_status.started(process)
                    await process.wait()
                    await self._finish(readers)
                except BaseException:
                    with trio.CancelScope(shield=True):
                        await self._end(process, readers)
                    raise
        for reader in readers:
            if reader.failure is not None:
                raise reader.failure
        self._check(process)

    async def _finish(self, readers: list[Reader]) -> None:
        if await finish(readers, self._orders.pipe_grace_s):
            self._say_that_it_is_held()

    async def _end(self, process: trio.Process, readers: list[Reader]) -> None:
        """End the program, and relay its last words."""
        orders = self._orders
        quarry = killing.Quarry(
            process, leads_group=orders.leads_group, with_descendants=orders.kill_tree
        )
        await holding.until_free(process, self._say_who_holds)
        try:
            await killing.end(quarry, process, orders.cancel_grace_s, orders.deliver_cancel)
        finally:
            try:
                # A channel that nobody receives from takes no last words.
                with trio.move_on_after(orders.pipe_grace_s + orders.cancel_grace_s):
                    await self._finish(readers)
            finally:
                # Also after a second ctrl-c: nobody else ends them, and all would wait for them.
                for reader in readers:
                    reader.abandon()

    def _say_who_holds(self, by: str) -> None:
        self._say(f"[{self._name}] it is ended when {by} has left the prompt.")

    def _say_that_it_is_held(self) -> None:
        self._say(
            f"[{self._name}] it has ended, but another process holds its output open: that is no "
            f"longer read after {self._orders.pipe_grace_s:g} s, and breaks for whoever writes."
        )

    def _say(self, text: str) -> None:
        try:
            self._orders.logger.warning("%s", text)
        except Exception as exc:  # noqa: BLE001 - a broken log is no reason to fail
            self._remarks.append(f"{text} (The log refused this: {safe_repr(exc)})")

    def _check(self, process: trio.Process) -> None:
        orders, returncode = self._orders, process.returncode
        assert returncode is not None
        if not orders.check or orders.is_success(returncode):
            return
        for sink in self._log_sinks:
            if sink.refused:
                self._remarks.append(
                    f"{sink.refused} of its lines were not logged: {sink.first_refusal}"
                )
        raise failure(
            returncode,
            process.args,
            stdout=self._out.kept,
            stderr=self._out.kept if orders.merge_stderr else self._err.kept,
            remarks=self._remarks,
        )
