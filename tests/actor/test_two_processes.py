"""The channel between two processes: death, what main means there, memory, TLS between threads."""

from __future__ import annotations

import os
import resource
import signal
import socket
import ssl
import sys
from contextlib import suppress
from typing import Any

import pytest
import trio
from trio.testing import trio_test

from tests.actor.pair import open_pair, open_process
from treetap.actor.context import Context
from treetap.errors import ActorDied, RemoteCancelled

PAGE_BYTES = resource.getpagesize()


async def pid() -> int:
    return os.getpid()


async def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def leave_at_once() -> None:
    os._exit(3)


async def resident_bytes() -> int:
    return own_resident_bytes()


def own_resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE_BYTES


async def stay(ctx: Context[int, int, int]) -> None:
    await ctx.started(os.getpid())
    async with ctx.open_stream() as stream:
        async for value in stream:
            await stream.send(value)


async def hog(seconds: float) -> None:
    """Sync code in an async function: nothing else happens there."""
    import time

    time.sleep(seconds)


async def count(ctx: Context[None, Any, None]) -> int:
    await ctx.started(None)
    total = 0
    async with ctx.open_stream() as stream:
        async for value in stream:
            total += len(value) if isinstance(value, bytes) else 1
    return total


async def write_rubbish() -> None:
    """Break the channel from inside: as a bug in C would."""
    for descriptor in range(3, 100):
        try:
            os.write(descriptor, b"\xff" * 1000)
        except OSError:
            continue


@trio_test
async def test_calls_cross_to_another_process():
    async with open_process() as (process, peer):
        assert await peer.portal.run(pid) == process.pid == peer.remote.pid


@pytest.mark.parametrize("function", [die, leave_at_once])
@trio_test
async def test_the_death_of_the_process_ends_what_waits_for_it(function):
    async with open_process() as (process, peer):
        with pytest.raises(ActorDied):
            async with peer.portal.open_context(stay) as (ctx, first):
                assert first == process.pid
                async with ctx.open_stream() as stream:
                    await stream.send(1)
                    assert await stream.receive() == 1
                    await peer.portal.run(function)
        with pytest.raises(ActorDied):
            await peer.portal.run(pid)


@trio_test
async def test_a_process_that_is_killed_from_outside_is_noticed_wherever_one_waits():
    async with open_process() as (process, peer):
        with pytest.raises(ActorDied):
            async with peer.portal.open_context(stay) as (ctx, _), ctx.open_stream() as stream:
                await stream.send(1)
                await stream.receive()
                process.kill()
                with trio.fail_after(10):
                    await stream.receive()


@trio_test
async def test_a_call_is_cancelled_though_the_other_side_is_in_sync_code():
    async with open_process(cancel_grace_s=0.1) as (_, peer):
        begun = trio.current_time()
        with trio.move_on_after(0.05) as scope:
            await peer.portal.run(hog, 20)
        assert scope.cancelled_caught
        assert trio.current_time() - begun < 15


@trio_test
async def test_a_process_that_writes_rubbish_into_its_channel_harms_nobody_else():
    async with open_process() as (_, other), open_process() as (_, peer):
        with pytest.raises(ActorDied):
            await peer.portal.run(write_rubbish)
            await peer.portal.run(pid)
        assert await other.portal.run(pid) == other.remote.pid


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@trio_test
async def test_calls_by_many_tasks_grow_neither_process():
    async def many(portal, calls: int) -> None:
        for _ in range(calls):
            await portal.run(pid)

    async with open_process() as (_, peer):

        async def call(total: int) -> None:
            async with trio.open_nursery() as nursery:
                for _ in range(50):
                    nursery.start_soon(many, peer.portal, total // 50)

        await call(5_000)
        before = own_resident_bytes(), await peer.portal.run(resident_bytes)
        await call(20_000)
        after = own_resident_bytes(), await peer.portal.run(resident_bytes)
        assert after[0] - before[0] < 2_000_000  # 100 bytes a call
        assert after[1] - before[1] < 2_000_000


@trio_test
async def test_much_passes_a_stream_in_bounded_memory():
    async with open_process() as (_, peer):
        before = await peer.portal.run(resident_bytes)
        async with peer.portal.open_context(count) as (ctx, _):
            async with ctx.open_stream() as stream:
                piece = bytes(65_536)
                for _ in range(3000):
                    await stream.send(piece)
            assert await ctx.result() == 3000 * 65_536
        assert await peer.portal.run(resident_bytes) - before < 30_000_000


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server and a client; without certificates, which are not what is tried here."""
    found = []
    for purpose in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT):
        context = ssl.SSLContext(purpose)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
        found.append(context)
    return found[0], found[1]


def over_tls() -> tuple[Any, Any]:
    a, b = (trio.SocketStream(trio.socket.from_stdlib_socket(s)) for s in socket.socketpair())
    server, client = contexts()
    return trio.SSLStream(a, server, server_side=True), trio.SSLStream(b, client)


def over_tcp() -> tuple[Any, Any]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        a = socket.create_connection(listener.getsockname())
        b, _ = listener.accept()
    return a, b


def over_trio_sockets() -> tuple[Any, Any]:
    a, b = (trio.SocketStream(trio.socket.from_stdlib_socket(s)) for s in socket.socketpair())
    return a, b


@pytest.mark.parametrize(
    "ends", [over_tls, over_tcp, over_trio_sockets, trio.testing.memory_stream_pair]
)
@trio_test
async def test_a_channel_runs_over_any_stream(ends):
    async with open_pair(ends()) as (near, far):
        assert await near.portal.run(pid) == await far.portal.run(pid) == os.getpid()
        async with near.portal.open_context(stay) as (ctx, _), ctx.open_stream() as stream:
            for number in range(300):
                await stream.send(number)
                assert await stream.receive() == number
        async with near.portal.open_context(count) as (ctx, _):
            async with ctx.open_stream() as stream:
                for _ in range(100):
                    await stream.send(bytes(100_000))
            assert await ctx.result() == 10_000_000
        far.scope.cancel()
        with pytest.raises(ActorDied):
            while True:
                with suppress(RemoteCancelled):  # by the last of its doings
                    await near.portal.run(pid)
