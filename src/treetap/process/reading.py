"""The readers of a program's pipes: from the first byte to the last, whatever happens meanwhile.

A reader isn't cancelled with its supervisor: a program that is asked to end has last words. Two things
end it: the end of the stream, or :meth:`Reader.stop`, when the program has gone but another process
still holds the pipe.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Protocol

import trio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treetap.process.lines import Block, LineSplitter
    from treetap.process.tail import HeadAndTail

#: What a pipe holds by default on Linux; one read empties it.
CHUNK_BYTES = 65536

#: As much at once is no prompt, or not only: it is what a buffer held (4096 bytes with the C library,
#: 8192 with Python), which ends anywhere in a line. Then the silence must be so many times as long.
BUFFER_BYTES = 4096
BUFFER_PATIENCE = 4

#: What is still read after :meth:`Reader.stop`: the most that an unprivileged process can make a
#: pipe hold (``/proc/sys/fs/pipe-max-size``). Whoever holds the pipe may write without end.
MAX_LAST_BYTES = 1 << 20


class Sink(Protocol):
    """Where the lines of a stream go."""

    async def take(self, block: Block) -> None: ...

    def close(self) -> None: ...


class Reader:
    """Reads one pipe.

    Args:
        stream: The pipe; the reader owns it.
        kept: Where its bytes are kept, if they are.
        splitter: What makes lines of it, if somebody takes them.
        sink: Who takes them.
        prompt_after_s: How long the pipe is quiet before a line without an end is shown.

    Attributes:
        is_held: It was stopped while another process had the pipe open.
        failure: What the sink raised; the pipe was emptied all the same.
    """

    def __init__(
        self,
        stream: trio.lowlevel.FdStream,
        kept: HeadAndTail | None,
        splitter: LineSplitter | None,
        sink: Sink | None,
        prompt_after_s: float,
    ) -> None:
        self._stream = stream
        self._kept = kept
        self._splitter = splitter
        self._sink = sink
        self._prompt_after_s = prompt_after_s
        self._waiting = trio.CancelScope()
        self._life = trio.CancelScope(shield=True)
        self._is_stopping = False
        self._last_bytes = 0
        self.is_held = False
        self.failure: Exception | None = None
        self.done = trio.Event()

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Read to the end; raises nothing."""
        try:
            with self._life:
                await self._read_all()
                if self._splitter is not None:
                    await self._hand_on(self._splitter.finish())
        finally:
            self._stream.close()
            if self._sink is not None:
                self._sink.close()
            self.done.set()

    def stop(self) -> None:
        """Take what the pipe holds now, and end."""
        self._is_stopping = True
        self._waiting.cancel()

    def abandon(self) -> None:
        """End now: the sink doesn't take what there is."""
        self._life.cancel()

    async def _read_all(self) -> None:
        while not self._is_stopping:
            chunk = await self._read()
            if chunk:
                await self._take(chunk)
            elif chunk is not None:
                return
            elif self._splitter is not None and not self._is_stopping:
                await self._hand_on(self._splitter.quiet())
        await self._read_rest()

    async def _read(self) -> bytes | None:
        """What comes next; ``None`` if nothing does for a while, or :meth:`stop` was called."""
        wait_s = math.inf
        if self._splitter is not None and self._splitter.may_be_prompt:
            is_buffer = self._last_bytes >= BUFFER_BYTES
            wait_s = self._prompt_after_s * (BUFFER_PATIENCE if is_buffer else 1)
        # A cancelled receive_some() has taken nothing out of the pipe.
        with trio.CancelScope(deadline=trio.current_time() + wait_s) as self._waiting:
            return bytes(await self._stream.receive_some(CHUNK_BYTES))
        # The time may be over because this process had no processor; the pipe knows.
        return self._read_now()

    def _read_now(self) -> bytes | None:
        """What is in the pipe; ``None`` if nothing is, ``b""`` at its end."""
        try:
            return os.read(self._stream.fileno(), CHUNK_BYTES)
        except BlockingIOError:
            return None

    async def _read_rest(self) -> None:
        """Take what is in the pipe, without waiting for more."""
        budget = MAX_LAST_BYTES
        while budget > 0 and (chunk := self._read_now()) is not None:
            if not chunk:
                return
            budget -= len(chunk)
            await self._take(chunk)
        self.is_held = True

    async def _take(self, chunk: bytes) -> None:
        self._last_bytes = len(chunk)
        if self._kept is not None:
            self._kept.add(chunk)
        if self._splitter is not None:
            await self._hand_on(self._splitter.feed(chunk))

    async def _hand_on(self, blocks: list[Block]) -> None:
        try:
            for block in blocks:
                assert self._sink is not None
                await self._sink.take(block)
        except Exception as exc:  # noqa: BLE001 - kept for the supervisor, which raises it
            self.failure = exc
            self._splitter = None  # nobody takes the lines any more; the pipe is emptied still


async def finish(readers: Sequence[Reader], grace_s: float) -> list[Reader]:
    """The program has gone: wait until its pipes are read; return those that others hold open.

    Args:
        readers: Of all its pipes.
        grace_s: How long a pipe may stay open.
    """
    with trio.move_on_after(grace_s):
        for reader in readers:
            await reader.done.wait()
    for reader in readers:
        reader.stop()
    # What the program wrote is read to its end, however slow the log is.
    for reader in readers:
        await reader.done.wait()
    return [reader for reader in readers if reader.is_held]
