"""The way out of a channel: who has something to say puts it here, and it goes out together."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from treetap.actor.frame import Outbox
    from treetap.actor.pipe import Pipe

#: With more than this waiting to go out, those who can wait do.
HIGH_BYTES = 1024 * 1024
#: With more than this gathered, it isn't gathered further.
FULL_BYTES = 128 * 1024


class Sender:
    """Gathers frames and writes them; nothing put here is lost as long as the connection holds.

    A task that is about to wait for an answer says ``flush()``, and its frame leaves in that very
    moment, together with what others have put. Whatever nobody flushes goes out when the task of
    ``run()`` has its turn, which is at the end of this turn of trio's loop.

    Args:
        pipe: Where it goes.
        outbox: Where it is gathered.
        on_broken: Called once, when the connection can't be written to any more.
    """

    def __init__(self, pipe: Pipe, outbox: Outbox, on_broken: Callable[[], None]) -> None:
        self._pipe = pipe
        self._outbox = outbox
        self._on_broken = on_broken
        self._is_broken = False
        self._is_closing = False
        #: The task of ``run()`` waits for the kernel; what is put meanwhile is behind that.
        self._is_blocked = False
        self._sleeper: trio.lowlevel.Task | None = None
        self._scope = trio.CancelScope(shield=True)
        self._waiters = trio.lowlevel.ParkingLot()

    def put(self, kind: int, number: int, body: bytes = b"") -> None:
        """Say it soon.

        Raises:
            PayloadError: The body is larger than a frame may be; nothing was put.
        """
        outbox = self._outbox
        outbox.put(kind, number, body)
        if self._is_broken:
            outbox.clear()
        elif outbox.size_bytes >= FULL_BYTES:
            self.flush()
        if self._sleeper is not None and outbox.size_bytes:
            self._wake()

    def put_now(self, kind: int, number: int, body: bytes = b"") -> None:
        """Say it at once, if the connection takes it at once.

        Raises:
            PayloadError: The body is larger than a frame may be; nothing was put.
        """
        self._outbox.put(kind, number, body)
        self.flush()

    def flush(self) -> None:
        """Write what can be written without waiting; the rest is left to the task of ``run()``."""
        outbox = self._outbox
        if self._is_broken:
            outbox.clear()
        if self._is_blocked:
            return
        try:
            while outbox.size_bytes:
                count = self._pipe.send_now(outbox.pieces())
                if not count:
                    break
                outbox.sent(count)
        except OSError:
            self._break()
        if self._waiters and not self.is_full:
            self._waiters.unpark_all()
        if self._sleeper is not None and outbox.size_bytes:
            self._wake()

    @property
    def is_full(self) -> bool:
        """So much waits to go out that more should wait elsewhere."""
        return self._outbox.size_bytes > HIGH_BYTES

    async def room(self) -> None:
        """Wait until it isn't full any more. Is a checkpoint."""
        await trio.lowlevel.checkpoint()
        while self.is_full:
            await self._waiters.park()

    async def run(self) -> None:
        """Write what isn't written at once, until ``close()``. Isn't cancelled by others."""
        with self._scope:
            while True:
                self.flush()
                if self._outbox.size_bytes:
                    await self._write_some()
                elif self._is_closing:
                    break
                else:
                    await self._sleep()
        self._break()

    def close(self, grace_s: float) -> None:
        """End ``run()`` when everything is written, at the latest after ``grace_s``."""
        self._is_closing = True
        self._scope.deadline = trio.current_time() + grace_s
        self._wake()

    async def _write_some(self) -> None:
        self._is_blocked = True
        try:
            self._outbox.sent(await self._pipe.send_some(self._outbox.pieces()))
        except OSError:
            self._break()
        finally:
            self._is_blocked = False

    async def _sleep(self) -> None:
        def abort(_: object) -> trio.lowlevel.Abort:
            self._sleeper = None
            return trio.lowlevel.Abort.SUCCEEDED

        self._sleeper = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(abort)

    def _wake(self) -> None:
        if self._sleeper is not None:
            trio.lowlevel.reschedule(self._sleeper)
            self._sleeper = None

    def _break(self) -> None:
        if self._is_broken:
            return
        self._is_broken = True
        self._outbox.clear()
        self._waiters.unpark_all()
        with suppress(RuntimeError):
            self._on_broken()
