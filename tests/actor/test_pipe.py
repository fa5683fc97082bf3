from __future__ import annotations

import socket

import pytest
import trio
from trio.testing import memory_stream_pair, trio_test, wait_all_tasks_blocked

from treetap.actor.pipe import Pipe, SocketPipe, StreamPipe, pipe_of


def sockets() -> tuple[Pipe, Pipe]:
    a, b = socket.socketpair()
    return pipe_of(a), pipe_of(b)


def streams() -> tuple[Pipe, Pipe]:
    a, b = memory_stream_pair()
    return pipe_of(a), pipe_of(b)


both = pytest.mark.parametrize("ends", [sockets, streams])


async def read(pipe: Pipe, size: int = 100) -> bytes:
    room = memoryview(bytearray(size))
    return bytes(room[: await pipe.receive_into(room)])


@both
@trio_test
async def test_bytes_cross_in_order_in_pieces_of_any_size(ends):
    a, b = ends()
    count = await a.send_some([b"one ", bytearray(b"two "), memoryview(b"three")])
    assert count == 13
    assert await read(b, 4) + await read(b, 2) + await read(b) == b"one two three"
    await a.aclose()
    await b.aclose()


@both
@trio_test
async def test_the_end_is_read_as_nothing(ends):
    a, b = ends()
    await a.send_some([b"last"])
    await a.aclose()
    assert await read(b) == b"last"
    assert await read(b) == b""
    await b.aclose()
    await b.aclose()


@both
@trio_test
async def test_a_reader_that_is_cancelled_has_read_nothing(ends):
    a, b = ends()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, b)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    await a.send_some([b"x"])
    assert await read(b) == b"x"
    await a.aclose()
    await b.aclose()


@both
@trio_test
async def test_writing_to_one_that_is_closed_is_an_os_error(ends):
    a, b = ends()
    await b.aclose()
    with pytest.raises(OSError):
        for _ in range(3):
            await a.send_some([b"x"])
    await a.aclose()


@trio_test
async def test_a_socket_takes_what_fits_and_does_not_wait():
    a, b = sockets()
    total = 0
    while count := a.send_now([bytes(100_000), bytes(100_000)]):
        total += count
    assert total > 0
    assert a.send_now([b"x"]) == 0
    while total:
        total -= len(await read(b, 1 << 20))
    assert a.send_now([b"x"]) == 1
    await a.aclose()
    await b.aclose()


@trio_test
async def test_a_trio_stream_over_a_socket_is_driven_as_a_socket():
    a, b = socket.socketpair()
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(a))
    pipe = pipe_of(stream)
    assert isinstance(pipe, SocketPipe)
    await stream.aclose()  # what its former owner may do
    assert pipe.send_now([b"x"]) == 1
    await pipe.aclose()
    b.close()
    assert isinstance(pipe_of(memory_stream_pair()[0]), StreamPipe)


@trio_test
async def test_many_reads_of_a_full_socket_let_others_run():
    a, b = sockets()
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count_turns)
        a.send_now([bytes(10_000)])
        for _ in range(100):
            await read(b, 100)
        assert turns >= 50
        nursery.cancel_scope.cancel()
    await a.aclose()
    await b.aclose()
