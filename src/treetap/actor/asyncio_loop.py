"""An asyncio loop beside trio's, in a thread of its own.

A thread, and not trio as a guest on asyncio's loop: whether a program has an asyncio part would have
to be known before ``trio.run`` begins, in every actor and in the root, whereas a thread is started when
the first asyncio function is. Both loops are the ordinary ones: a callback that takes long delays its
own loop only, ctrl-c and the debugger find trio in the main thread as always. What it costs is a hop
between threads for each call and message (some 50 µs; see ``benchmarks/claims``), and that asyncio code
isn't in the main thread, so that it can't set signal handlers.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import outcome
import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

#: The loop of a trio run, from the first use to the end of the run.
_loop: trio.lowlevel.RunVar[AsyncioLoop | None] = trio.lowlevel.RunVar(
    "treetap asyncio loop", default=None
)


async def current_loop() -> AsyncioLoop:
    """The asyncio loop that belongs to this trio run; started on first use."""
    loop = _loop.get()
    if loop is None:
        loop = AsyncioLoop()
        loop.start()
        _loop.set(loop)
        # Not in the context of whoever happens to come first, and ended with the run.
        trio.lowlevel.spawn_system_task(loop.serve, name="treetap asyncio loop")
    await loop.wait_until_running()
    return loop


class AsyncioLoop:
    """One thread with one asyncio loop in it. Owned by the trio run that it was made in."""

    def __init__(self) -> None:
        self.trio_token = trio.lowlevel.current_trio_token()
        self._is_running = trio.Event()
        self._has_ended = trio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._error: BaseException | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="treetap asyncio", daemon=True)

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: The system has no more threads for us.
        """
        self._thread.start()

    async def serve(self) -> None:
        """Wait until the trio run ends, then end the thread; asyncio tasks that are left are cancelled."""
        with trio.CancelScope(shield=True):
            await self._is_running.wait()
        try:
            await trio.sleep_forever()
        finally:
            if self._stop is not None:
                self.call_soon(self._stop.set)
            with trio.CancelScope(shield=True):
                await self._has_ended.wait()
            self._thread.join()

    async def wait_until_running(self) -> None:
        await self._is_running.wait()
        if self._error is not None:
            raise self._error

    def call_soon(self, function: Callable[..., object], *args: object) -> None:
        """Call a function in the loop's thread; from any thread."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            # The loop is closed: its tasks have ended, and with them whoever could be told.
            if not self._loop.is_closed():
                raise

    def call_trio_soon(self, function: Callable[..., object], *args: object) -> None:
        """Call a function in trio's thread; from any thread."""
        try:
            self.trio_token.run_sync_soon(function, *args)
        except trio.RunFinishedError:
            pass

    async def run(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Run an async function as an asyncio task; see :func:`treetap.actor.to_asyncio.run_task`."""
        crossing = _Crossing(self, function, args)
        return (await crossing.wait()).unwrap()  # type: ignore[no-any-return]

    def _run(self) -> None:
        """The thread."""
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - a loop that can't be made: told to who waits
            self._error = error
        finally:
            self.call_trio_soon(self._is_running.set)
            self.call_trio_soon(self._has_ended.set)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.call_trio_soon(self._is_running.set)
        await self._stop.wait()


class _Crossing:
    """One asyncio task, and the trio task that waits for it."""

    def __init__(
        self, loop: AsyncioLoop, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]
    ) -> None:
        self._loop = loop
        self._function = function
        self._args = args
        self._waiter = trio.lowlevel.current_task()
        self._raise_cancel: Callable[[], Any] | None = None
        self._task: asyncio.Task[Any] | None = None

    async def wait(self) -> outcome.Outcome[Any]:
        # The call is made by the loop, so that no coroutine is left behind if that never comes to it.
        self._loop.call_soon(self._start, contextvars.copy_context())
        ended: outcome.Outcome[Any] = await trio.lowlevel.wait_task_rescheduled(self._abort)
        if self._raise_cancel is not None and _is_cancelled(ended):
            self._raise_cancel()
        return ended

    def _abort(self, raise_cancel: Callable[[], Any]) -> trio.lowlevel.Abort:
        """In trio: pass the cancellation on, and go on waiting for the task's end."""
        self._raise_cancel = raise_cancel
        self._loop.call_soon(self._cancel)
        return trio.lowlevel.Abort.FAILED

    def _start(self, context: contextvars.Context) -> None:
        """In asyncio."""
        self._task = asyncio.get_running_loop().create_task(
            outcome.acapture(self._function, *self._args),
            name=f"{getattr(self._function, '__qualname__', self._function)}",
            context=context,
        )
        self._task.add_done_callback(self._finish)

    def _cancel(self) -> None:
        """In asyncio."""
        if self._task is not None:
            self._task.cancel()

    def _finish(self, task: asyncio.Task[Any]) -> None:
        """In asyncio: wake the trio task up with what came of it."""
        if task.cancelled():  # before its first step: nothing could capture that
            ended: outcome.Outcome[Any] = outcome.Error(asyncio.CancelledError())
        else:
            ended = task.result()
        self._loop.call_trio_soon(trio.lowlevel.reschedule, self._waiter, outcome.Value(ended))


def _is_cancelled(ended: outcome.Outcome[Any]) -> bool:
    return isinstance(ended, outcome.Error) and isinstance(ended.error, asyncio.CancelledError)
