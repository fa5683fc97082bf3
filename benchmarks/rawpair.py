"""The floor of the actors' claims: two processes that do the same over a bare trio socket pair.

The other process is a fresh interpreter with nothing but trio in it; it has one end of a
``socketpair`` and does what the first byte tells it. Messages have a fixed size, so that nobody pays
for framing, and nothing is encoded.
"""

from __future__ import annotations

import socket
import sys
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Bytes of a small message: about what a call with two numbers takes.
SMALL = 32
PIECE = 65536
_PROGRAM = """
import socket, sys
from benchmarks.clock import pin
if sys.argv[2] != "-":
    pin(int(sys.argv[2]))
from benchmarks.rawpair import answer
import trio
trio.run(answer, int(sys.argv[1]))
"""


@asynccontextmanager
async def open_raw_pair(core: int | None = None) -> AsyncIterator[trio.SocketStream]:
    """A process that answers, and the stream to it.

    Args:
        core: Core to keep it on; any if not given.
    """
    here, there = socket.socketpair()
    with there:
        command = [sys.executable, "-c", _PROGRAM, str(there.fileno())]
        process = await trio.lowlevel.open_process(
            [*command, "-" if core is None else str(core)], pass_fds=[there.fileno()]
        )
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(here))
    async with stream:
        yield stream
    with trio.fail_after(10):
        await process.wait()


async def answer(number: int) -> None:
    """The other process: echo (``e``), or swallow so many bytes and say so (``s`` and 8 bytes)."""
    stream = trio.SocketStream(trio.socket.socket(fileno=number))
    async with stream:
        while job := await stream.receive_some(1):
            await stream.send_all(b"k")
            size = int.from_bytes(await _exactly(stream, 8), "big")
            if job == b"e":
                await _echo(stream, size)
            else:
                await _swallow(stream, size)
                await stream.send_all(b"k")


async def calls(stream: trio.SocketStream, count: int, in_flight: int = 1) -> float:
    """Round trips a second, each of ``SMALL`` bytes both ways, ``in_flight`` of them at a time."""
    await _begin(stream, b"e", count * SMALL)
    message = bytes(SMALL)
    began = perf_counter()
    for _ in range(count // in_flight):
        for _ in range(in_flight):
            await stream.send_all(message)
        await _exactly(stream, SMALL * in_flight)
    return count / (perf_counter() - began)


async def messages(stream: trio.SocketStream, count: int, size: int) -> float:
    """Messages a second in one direction, until the other side has all."""
    await _begin(stream, b"s", count * size)
    message = bytes(size)
    began = perf_counter()
    for _ in range(count):
        await stream.send_all(message)
    await _exactly(stream, 1)
    return count / (perf_counter() - began)


async def _begin(stream: trio.SocketStream, job: bytes, size: int) -> None:
    await stream.send_all(job)
    await _exactly(stream, 1)
    await stream.send_all(size.to_bytes(8, "big"))


async def _echo(stream: trio.SocketStream, size: int) -> None:
    while size:
        part = await stream.receive_some(min(size, 262144))
        await stream.send_all(part)
        size -= len(part)


async def _swallow(stream: trio.SocketStream, size: int) -> None:
    while size:
        size -= len(await stream.receive_some(min(size, 262144)))


async def _exactly(stream: trio.SocketStream, size: int) -> bytes:
    parts = []
    while size:
        part = await stream.receive_some(size)
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
