"""One reader at a pipe of the test's own; with real programs it is in ``test_cancelling``."""

from __future__ import annotations

import os
import time
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, trio_test, wait_all_tasks_blocked

from tests.process.programs import until
from treetap.process.lines import Block, LineSplitter
from treetap.process.reading import BUFFER_BYTES, BUFFER_PATIENCE, Reader, finish
from treetap.process.tail import HeadAndTail


class Taken:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, str]] = []
        self.is_closed = False
        self.failure: Exception | None = None

    async def take(self, block: Block) -> None:
        if self.failure is not None:
            raise self.failure
        self.pieces += [(block.kind, text) for text in block.texts]

    def close(self) -> None:
        self.is_closed = True


class Pipe:
    """A reader, and the end that it reads from."""

    def __init__(self, prompt_after_s: float) -> None:
        ours, self.end = os.pipe()
        self.sink = Taken()
        self.kept = HeadAndTail()
        self.reader = Reader(
            trio.lowlevel.FdStream(ours), self.kept, LineSplitter(), self.sink, prompt_after_s
        )

    @property
    def pieces(self) -> list[tuple[str, str]]:
        return self.sink.pieces


@pytest.fixture
def clock() -> MockClock:
    """The test's time, which stands still but for ``jump()``."""
    return MockClock()


class Stalled(trio.abc.Instrument):
    """A loop that stands still after it has looked at the pipes, and before it looks at the clock."""

    def __init__(self, clock: MockClock, end: int, arriving: bytes) -> None:
        self._clock = clock
        self._end = end
        self._arriving = arriving

    def after_io_wait(self, timeout: float) -> None:
        os.write(self._end, self._arriving)
        self._clock.jump(1)
        trio.lowlevel.remove_instrument(self)


@asynccontextmanager
async def reading(prompt_after_s: float = 60):
    pipe = Pipe(prompt_after_s)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipe.reader.run)
        try:
            yield pipe
        finally:
            if pipe.end >= 0:
                os.close(pipe.end)


@trio_test
async def test_at_the_end_of_the_stream_all_is_handed_on():
    async with reading() as pipe:
        os.write(pipe.end, b"one\ntwo")
        await until(lambda: pipe.pieces)
        assert pipe.pieces == [("line", "one")]
    assert pipe.pieces == [("line", "one"), ("line", "two")]
    assert pipe.sink.is_closed
    assert bytes(pipe.kept) == b"one\ntwo"
    assert not pipe.reader.is_held


@trio_test
async def test_a_quiet_moment_shows_a_prompt():
    async with reading(0.01) as pipe:
        os.write(pipe.end, b"Name? ")
        await until(lambda: pipe.pieces)
    assert pipe.pieces == [("prompt", "Name? ")]


@trio_test
async def test_a_process_without_a_processor_takes_no_piece_of_a_line_for_a_prompt(clock):
    async with reading(0.05) as pipe:
        os.write(pipe.end, b"half a ")
        await wait_all_tasks_blocked()
        assert pipe.kept.total_bytes == len(b"half a ")
        trio.lowlevel.add_instrument(Stalled(clock, pipe.end, b"line\n"))
        await wait_all_tasks_blocked()
    assert pipe.pieces == [("line", "half a line")]


@trio_test
async def test_the_end_of_a_full_buffer_is_not_so_soon_a_prompt():
    async with reading(0.1) as pipe:
        began = time.monotonic()
        os.write(pipe.end, b"x\n" * (BUFFER_BYTES // 2) + b"half")
        await until(lambda: ("prompt", "half") in pipe.pieces)
        assert time.monotonic() - began >= 0.1 * BUFFER_PATIENCE


@trio_test
async def test_a_stopped_reader_takes_what_is_there_and_says_that_the_pipe_is_held():
    async with reading() as pipe:
        os.write(pipe.end, b"one\ntwo")
        held = await finish([pipe.reader], 0)
        assert held == [pipe.reader]
        assert pipe.pieces == [("line", "one"), ("line", "two")]


@trio_test
async def test_a_pipe_that_is_closed_in_time_is_not_held():
    async with reading() as pipe:
        os.write(pipe.end, b"one\n")
        os.close(pipe.end)
        pipe.end = -1
        assert await finish([pipe.reader], 30) == []
        assert pipe.pieces == [("line", "one")]


@trio_test
async def test_a_cancelled_nursery_does_not_end_it():
    async with reading() as pipe:
        with trio.CancelScope() as scope:
            scope.cancel()
            await trio.lowlevel.checkpoint()
        os.write(pipe.end, b"last words\n")
        await until(lambda: pipe.pieces)
    assert pipe.pieces == [("line", "last words")]


@trio_test
async def test_a_sink_that_fails_does_not_stop_the_reading():
    async with reading() as pipe:
        pipe.sink.failure = error = RuntimeError("full")
        os.write(pipe.end, b"one\n")
        await until(lambda: pipe.reader.failure)
        os.write(pipe.end, b"two\n")
        await until(lambda: pipe.kept.total_bytes == 8)
    assert pipe.reader.failure is error
    assert pipe.sink.is_closed


@trio_test
async def test_an_abandoned_reader_ends_though_its_sink_does_not_take():
    async with reading() as pipe:

        async def never(block: Block) -> None:
            await trio.sleep_forever()

        pipe.sink.take = never
        os.write(pipe.end, b"one\n")
        await until(lambda: pipe.kept.total_bytes)
        pipe.reader.abandon()
        with trio.fail_after(10):
            await pipe.reader.done.wait()
    assert pipe.sink.is_closed
