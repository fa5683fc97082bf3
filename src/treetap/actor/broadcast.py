"""One source of values to many tasks, each at its own pace.

A pump task reads the source as fast as that gives, and keeps the last ``max_buffer`` values in a
ring. A subscriber is a place in the sequence; one that falls behind the oldest value kept is told so
once, with the number of what it missed, and goes on from there. So nobody waits for the slowest.

Rejected: the subscriber that comes first reads the source, with no task of ours. Then a source that is
read by nobody for a moment stands still, and the pace is that of whoever happens to read.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

import trio

from treetap.actor.bare import open_bare_nursery, raise_unchanged
from treetap.errors import Lagged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType
    from typing import Self

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

#: A subscriber takes this many values without letting other tasks run.
_TURN = 64


class Source(Protocol[T_co]):
    """What can be broadcast: a ``Stream``, a trio memory channel, any trio ``ReceiveChannel``."""

    async def receive(self) -> T_co:
        """The next value.

        Raises:
            trio.EndOfChannel: There is no more.
        """
        ...


@asynccontextmanager
async def open_broadcast(
    source: Source[T], *, max_buffer: int = 256
) -> AsyncIterator[Broadcast[T]]:
    """Give the values of one source to any number of tasks.

    The source is read from now on, whether anybody subscribes or not, and is not closed at the end::

        async with open_broadcast(stream) as broadcast, trio.open_nursery() as nursery:
            nursery.start_soon(show, broadcast.subscribe())
            nursery.start_soon(store, broadcast.subscribe())

    Args:
        source: Anything with a trio channel's ``receive``.
        max_buffer: How many values are kept for a subscriber that is behind.

    Raises:
        Exception: The source failed, and no subscriber was there to be told.
        ValueError: ``max_buffer`` is less than 1.
    """
    broadcast = Broadcast(source, max_buffer)
    async with open_bare_nursery() as nursery:
        nursery.start_soon(broadcast._pump)
        try:
            yield broadcast
        finally:
            nursery.cancel_scope.cancel()
            broadcast._close()
    broadcast._raise_unseen()


class Broadcast(Generic[T]):
    """The values of one source, for many; made by :func:`open_broadcast`."""

    def __init__(self, source: Source[T], max_buffer: int) -> None:
        if max_buffer < 1:
            raise ValueError(f"max_buffer must be at least 1, not {max_buffer}")
        self._source = source
        self._ring: list[T | None] = [None] * max_buffer
        self._seen = 0  # values that the source gave; the next one's number
        self._subscriptions: set[Subscription[T]] = set()
        self._waiting = trio.lowlevel.ParkingLot()
        self._is_over = False
        self._error: Exception | None = None
        self._error_was_seen = False

    def subscribe(self) -> Subscription[T]:
        """All values that the source gives from now on."""
        subscription = Subscription(self)
        self._subscriptions.add(subscription)
        return subscription

    @property
    def subscribers(self) -> int:
        """How many subscriptions are open."""
        return len(self._subscriptions)

    async def _pump(self) -> None:
        ring, size = self._ring, len(self._ring)
        try:
            while True:
                value = await self._source.receive()
                ring[self._seen % size] = value
                self._seen += 1
                if self._waiting:
                    self._waiting.unpark_all()
                if self._is_hurried():
                    # A source that has a thousand values ready must not run away from a task that
                    # would take them, had it only the turn.
                    await trio.lowlevel.checkpoint()
        except trio.EndOfChannel:
            pass
        except Exception as error:  # noqa: BLE001 - told to the subscribers
            self._error = error
        finally:
            self._is_over = True
            self._waiting.unpark_all()

    def _is_hurried(self) -> bool:
        """Whether some subscriber is about to lag; one that does already isn't waited for."""
        size = len(self._ring)
        return any(size <= 2 * (self._seen - each._next) < 2 * size for each in self._subscriptions)

    def _close(self) -> None:
        for subscription in tuple(self._subscriptions):
            subscription.close()

    def _raise_end(self) -> None:
        if self._error is None:
            raise trio.EndOfChannel
        self._error_was_seen = True
        raise_unchanged(self._error)

    def _raise_unseen(self) -> None:
        if self._error is not None and not self._error_was_seen:
            raise_unchanged(self._error)


class Subscription(trio.abc.ReceiveChannel[T]):
    """One task's view of a broadcast: ``receive``, ``async for``, ``async with``.

    Made by :meth:`Broadcast.subscribe`. Closing it closes no other.
    """

    def __init__(self, broadcast: Broadcast[T]) -> None:
        self._broadcast = broadcast
        self._next = broadcast._seen
        self._taken = 0
        self._is_closed = False

    async def receive(self) -> T:
        """The next value.

        Raises:
            Lagged: This subscriber was more than ``max_buffer`` behind; the next call goes on with the
                oldest value that is kept.
            trio.EndOfChannel: The source has ended, and all of its values were received.
            trio.ClosedResourceError: This subscription is closed.
        """
        await self._pass_checkpoint()
        broadcast = self._broadcast
        while not self._is_closed:
            missed = self.behind - len(broadcast._ring)
            if missed > 0:
                self._next += missed
                raise Lagged.by(missed)
            if self._next < broadcast._seen:
                value = broadcast._ring[self._next % len(broadcast._ring)]
                self._next += 1
                return cast("T", value)
            if broadcast._is_over:
                broadcast._raise_end()
            await broadcast._waiting.park()
        raise trio.ClosedResourceError

    @property
    def behind(self) -> int:
        """How many values the source has given that this subscriber hasn't received."""
        return self._broadcast._seen - self._next

    def close(self) -> None:
        """Stop receiving; a task that waits in :meth:`receive` is told. May be called twice."""
        if not self._is_closed:
            self._is_closed = True
            self._broadcast._subscriptions.discard(self)
            self._broadcast._waiting.unpark_all()

    async def aclose(self) -> None:
        """As :meth:`close`; a checkpoint."""
        self.close()
        await trio.lowlevel.checkpoint()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    async def _pass_checkpoint(self) -> None:
        # A full checkpoint a value would cost more than all the rest.
        self._taken += 1
        if self._taken % _TURN:
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            await trio.lowlevel.checkpoint()
