"""asyncio functions as tasks of a trio program: :func:`run_task`, :func:`open_channel_from`.

They run on an asyncio loop of the trio run, in a thread of its own (:mod:`treetap.actor.asyncio_loop`
says why), which is started on first use and ended with the run. What crosses is Python objects, by
reference: nothing is copied or encoded.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import trio

from treetap.actor.asyncio_loop import AsyncioLoop, current_loop
from treetap.actor.bare import raise_together, without_cancellation
from treetap.actor.crossing import AsyncioBell, Pipe, TrioBell
from treetap.errors import AsyncioCancelled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

T = TypeVar("T")

#: The trio side sends or receives this many values without letting other tasks run.
_TURN = 64


async def run_task(function: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run an asyncio function as a task of its own, and give its result.

    Cancelling this call cancels the asyncio task and waits for its end, so that the task never
    outlives it. A function that ends in spite of the cancellation has its result or its error told.

    Args:
        function: An async function that speaks asyncio.
        *args: Its arguments; for keyword arguments, ``functools.partial``.

    Raises:
        AsyncioCancelled: The task was cancelled on asyncio's side.
        BaseException: What the function raised, as it is.
    """
    _check(function)
    loop = await current_loop()
    try:
        return await loop.run(function, *args)
    except asyncio.CancelledError as error:
        raise _cancelled(function) from error


@asynccontextmanager
async def open_channel_from(
    function: Callable[..., Awaitable[T]], *args: Any, max_buffer: int = 64
) -> AsyncIterator[TrioEnd[T]]:
    """Run an asyncio function with a channel between it and this block, both ways.

    The function is called with its end of the channel first; this block has the other end. They share
    their fate: an error of the function cancels the block, and is raised here; an error or a
    cancellation of the block cancels the function, and its end is waited for. At the end of the block
    the channel is closed: the function's ``receive`` meets the end, its ``send`` fails, which counts as
    a normal end of it; and what it still does is waited for (or cancelled, with ``channel.cancel()``)::

        async def echo(channel: to_asyncio.AsyncioEnd) -> None:
            async for value in channel:
                await channel.send(value)

        async with to_asyncio.open_channel_from(echo) as channel:
            await channel.send("sap")
            print(await channel.receive())

    Args:
        function: An async function that speaks asyncio.
        *args: Its arguments after the channel.
        max_buffer: How many values may be under way in each direction; then ``send`` waits.

    Raises:
        AsyncioCancelled: The function was cancelled on asyncio's side.
        BaseException: What the block or the function raised; an exception group if both did.
    """
    _check(function)
    if max_buffer < 1:
        raise ValueError(f"max_buffer must be at least 1, not {max_buffer}")
    loop = await current_loop()
    channel = TrioEnd[T](loop, function, args, max_buffer)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(channel._serve, nursery.cancel_scope)
            try:
                yield channel
            except BaseException as error:  # noqa: BLE001 - raised when the function has ended
                channel._leave(error)
            else:
                channel._leave(None)
    except BaseException as error:
        # A cancellation of a scope around us, as a rule: what failed meanwhile is told in its place.
        channel._raise_errors(without_cancellation(error))
        raise
    channel._raise_errors(None)


class _End:
    """What both ends of a channel have in common.

    Attributes:
        _sends: The pipe away from here.
        _receives: The pipe to here.
    """

    def __init__(self, loop: AsyncioLoop, sends: Pipe, receives: Pipe) -> None:
        self._loop = loop
        self._sends = sends
        self._receives = receives

    async def _put(self, value: Any, make_bell: type[AsyncioBell | TrioBell]) -> None:
        while not self._sends.put(value, None):
            bell = make_bell(self._loop)
            if self._sends.put(value, bell):
                return
            try:
                await bell.wait()
            finally:
                self._sends.forget(bell)

    async def _take(self, make_bell: type[AsyncioBell | TrioBell]) -> Any:
        while not (values := self._receives.take(None)):
            bell = make_bell(self._loop)
            if values := self._receives.take(bell):
                break
            try:
                await bell.wait()
            finally:
                self._receives.forget(bell)
        return values[0]

    def _close(self) -> None:
        self._sends.end()
        self._receives.close()


class AsyncioEnd(_End):
    """The end that the asyncio function has: ``send``, ``receive``, ``async for``, ``send_eof``."""

    async def send(self, value: Any) -> None:
        """Send a value to the trio side; waits while ``max_buffer`` are under way.

        Raises:
            trio.BrokenResourceError: The trio side has closed the channel.
            trio.ClosedResourceError: After :meth:`send_eof`.
        """
        await self._put(value, AsyncioBell)

    async def receive(self) -> Any:
        """The next value of the trio side.

        Raises:
            trio.EndOfChannel: The trio side has ended the channel.
        """
        return await self._take(AsyncioBell)

    async def send_eof(self) -> None:
        """Say that nothing more will be sent from here; receiving goes on."""
        self._sends.end()

    def __aiter__(self) -> AsyncioEnd:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None


class TrioEnd(_End, trio.abc.Channel[Any], Generic[T]):
    """The end that the trio block has: a trio channel, with :meth:`result` and :meth:`cancel`."""

    def __init__(
        self,
        loop: AsyncioLoop,
        function: Callable[..., Awaitable[T]],
        args: tuple[Any, ...],
        max_buffer: int,
    ) -> None:
        super().__init__(loop, sends=Pipe(max_buffer), receives=Pipe(max_buffer))
        self._function = function
        self._args = args
        self._scope = trio.CancelScope()
        self._has_left = False
        self._value: T | None = None
        self._error: BaseException | None = None  # of the block
        self._failure: BaseException | None = None  # of the function
        self._over = trio.Event()
        self._crossed = 0

    async def send(self, value: Any) -> None:
        """Send a value to the asyncio function; waits while ``max_buffer`` are under way.

        Raises:
            trio.BrokenResourceError: The function has ended.
            trio.ClosedResourceError: The channel is closed on this side, or :meth:`send_eof` was called.
        """
        await self._pass_checkpoint()
        await self._put(value, TrioBell)

    async def receive(self) -> Any:
        """The next value of the asyncio function.

        Raises:
            trio.EndOfChannel: The function has ended, and all that it sent was received.
            trio.ClosedResourceError: The channel is closed on this side.
        """
        await self._pass_checkpoint()
        return await self._take(TrioBell)

    async def _pass_checkpoint(self) -> None:
        # A full checkpoint a value would cost more than all the rest.
        self._crossed += 1
        if self._crossed % _TURN:
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            await trio.lowlevel.checkpoint()

    async def send_eof(self) -> None:
        """Say that nothing more will be sent from here; receiving goes on."""
        self._sends.end()
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close both directions; the function goes on until it notices."""
        self._close()
        await trio.lowlevel.checkpoint()

    async def result(self) -> T:
        """Wait until the function is done, and give what it returned; ``None`` if it was cancelled.

        Receive first what it sends: it may be waiting for that.
        """
        await self._over.wait()
        return self._value  # type: ignore[return-value] # a failure has cancelled who waits

    def cancel(self) -> None:
        """Cancel the asyncio function; its end is waited for at the end of the block."""
        self._scope.cancel()

    async def _serve(self, block: trio.CancelScope) -> None:
        """Run the function to its end; its error ends the block."""
        end = AsyncioEnd(self._loop, sends=self._receives, receives=self._sends)
        try:
            with self._scope:
                self._value = await self._loop.run(self._function, end, *self._args)
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 - raised at the end of the block
            if isinstance(error, asyncio.CancelledError):
                self._failure = _cancelled(self._function)
                self._failure.__cause__ = error
            elif not (self._has_left and isinstance(error, trio.BrokenResourceError)):
                self._failure = error
            if self._failure is not None:
                block.cancel()
        finally:
            end._close()
            self._over.set()

    def _leave(self, error: BaseException | None) -> None:
        """The block is over; an error of it ends the function."""
        self._has_left = True
        self._error = error
        self._close()
        if error is not None:
            self.cancel()

    def _raise_errors(self, more: BaseException | None) -> None:
        error = self._error
        if error is not None and self._failure is not None:
            # What our own cancellation made of the block isn't told beside its cause.
            error = without_cancellation(error)
        errors = [each for each in (error, self._failure, more) if each is not None]
        raise_together(errors, "the block and its asyncio function failed")


def _check(function: Callable[..., Any]) -> None:
    if inspect.isawaitable(function):
        raise TypeError("give the async function and its arguments, not what calling it returned")
    if not callable(function):
        raise TypeError(f"an async function is needed, not {function!r}")


def _cancelled(function: Callable[..., Any]) -> AsyncioCancelled:
    name = getattr(function, "__qualname__", repr(function))
    return AsyncioCancelled(
        f"The asyncio task of {name} was cancelled, and not by the trio task that waits for it.",
        "Something on asyncio's side did: task.cancel(), or a CancelledError that the function let\n"
        "through or raised. Catch it there, if it is meant to be an ordinary end.",
    )
