"""A program's lines as an async iterator."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import trio

from treetap.process.failure import bare_errors
from treetap.process.handing import Line
from treetap.process.supervise import supervise_run_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from treetap.process.orders import Command

#: Lines that a program may be ahead of who reads them, besides what its pipe holds.
BUFFERED_LINES = 256


class ProcessLines:
    """The lines of a program that runs: ``async for line in lines``.

    Attributes:
        process: The program.
    """

    def __init__(self, process: trio.Process, channel: trio.MemoryReceiveChannel[Line]) -> None:
        self.process = process
        self._channel = channel
        self._is_at_end = False

    @property
    def is_at_end(self) -> bool:
        """Whether the program's last line has been given."""
        return self._is_at_end

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Line:
        try:
            return await self._channel.receive()
        except trio.EndOfChannel:
            self._is_at_end = True
            raise StopAsyncIteration from None


@asynccontextmanager
async def open_process_lines(
    cmd: Command, *, relay_stdout: bool = True, relay_stderr: bool = True, **arguments: Any
) -> AsyncIterator[ProcessLines]:
    """Run a program, and read its lines one by one.

    ::

        async with open_process_lines(["make", "test"]) as lines:
            async for line in lines:
                print(line.stream, line.text)

    When the last line was read, leaving the block waits for the program and raises what
    :func:`supervise_run_process` does. Left before that, the block ends the program. What the block
    raises itself has the program's failure, if there is one, as its context.

    Args:
        cmd: The program and its arguments.
        relay_stdout: Whether its stdout is read.
        relay_stderr: Whether its stderr is read.
        arguments: All others of :func:`supervise_run_process`.
    """
    send, receive = trio.open_memory_channel[Line](BUFFERED_LINES)
    supervise = partial(
        supervise_run_process,
        cmd,
        lines=send,
        relay_stdout=relay_stdout,
        relay_stderr=relay_stderr,
        **arguments,
    )
    run = _Run()
    try:
        with bare_errors():
            async with trio.open_nursery() as nursery:
                process = await nursery.start(run, supervise)
                with receive:
                    lines = ProcessLines(process, receive)
                    yield lines
                if not lines.is_at_end:
                    nursery.cancel_scope.cancel()
    except Exception as exc:
        # "It is not up", says the block; why it isn't, says the program.
        if exc.__context__ is None:
            exc.__context__ = run.failure
        raise
    if run.failure is not None:
        raise run.failure


class _Run:
    """Keeps the failure of a program until its last line has been read."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    async def __call__(self, supervise: Any, *, task_status: trio.TaskStatus[trio.Process]) -> None:
        status = _Status(task_status)
        try:
            await supervise(task_status=status)
        except Exception as exc:
            if not status.is_started:
                raise
            self.failure = exc


class _Status:
    """Remembers whether ``started()`` was called."""

    def __init__(self, inner: trio.TaskStatus[trio.Process]) -> None:
        self._inner = inner
        self.is_started = False

    def started(self, value: trio.Process) -> None:
        self.is_started = True
        self._inner.started(value)
