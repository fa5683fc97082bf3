"""Two ends of one channel: in this process, or with the other end in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import trio

from treetap.actor.identity import ActorId
from treetap.actor.peer import Peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from treetap.actor.portal import Portal


class ScopedPeer(Peer):
    """One whose serving can be cancelled alone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scope = trio.CancelScope()

    async def serve(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        with self.scope:
            await super().serve(task_status=task_status)


@asynccontextmanager
async def open_pair(
    ends: tuple[Any, Any] | None = None,
    near: dict[str, Any] | None = None,
    far: dict[str, Any] | None = None,
) -> AsyncIterator[tuple[ScopedPeer, ScopedPeer]]:
    """Two peers that are served here, each in a ``scope``; they are ended with the block."""
    a, b = ends or socket.socketpair()
    one = ScopedPeer(a, local=ActorId.here("near", "tree"), **near or {})
    other = ScopedPeer(b, local=ActorId.here("far", "tree"), **far or {})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other.serve)
        await nursery.start(one.serve)
        yield one, other
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_portal(**near: Any) -> AsyncIterator[Portal]:
    async with open_pair(near=near) as (one, _):
        yield one.portal


@contextmanager
def started_process(*more: str) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A process that serves one end of a channel, until the other end is closed."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [sys.executable, "-m", "tests.actor.pair", str(theirs.fileno()), *more]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()
        try:
            yield process, ours
        finally:
            ours.close()
            process.kill()
            process.wait()


@asynccontextmanager
async def open_process(
    *more: str, **near: Any
) -> AsyncIterator[tuple[subprocess.Popen[bytes], Peer]]:
    with started_process(*more) as (process, sock):
        peer = Peer(sock, local=ActorId.here("near", "tree"), **near)
        async with trio.open_nursery() as nursery:
            await nursery.start(peer.serve)
            yield process, peer
            nursery.cancel_scope.cancel()


async def serve_inherited(descriptor: int, main_path: str | None) -> None:
    sock = socket.socket(fileno=descriptor)
    await Peer(sock, local=ActorId.here("far", "tree"), main_path=main_path).serve()


if __name__ == "__main__":
    trio.run(serve_inherited, int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
