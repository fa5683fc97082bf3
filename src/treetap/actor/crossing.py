"""A bounded queue from one event loop's thread to another's: one direction of a channel.

Either end may be trio's or asyncio's. An end that has to wait leaves a *bell*, which the other end
rings across the threads; it then looks again. So nothing is decided by a ring, and a ring too many
does no harm.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import trio

if TYPE_CHECKING:
    from treetap.actor.asyncio_loop import AsyncioLoop


class Bell(Protocol):
    """What a task waits for: rung from any thread, once."""

    def ring(self) -> None: ...

    async def wait(self) -> None: ...


class TrioBell:
    def __init__(self, loop: AsyncioLoop) -> None:
        self._loop = loop
        self._event = trio.Event()

    def ring(self) -> None:
        self._loop.call_trio_soon(self._event.set)

    async def wait(self) -> None:
        await self._event.wait()


class AsyncioBell:
    def __init__(self, loop: AsyncioLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._loop.call_soon(self._event.set)

    async def wait(self) -> None:
        await self._event.wait()


class Pipe:
    """Values on their way from one thread to the other.

    Args:
        max_buffer: How many may be under way; the sender waits with the next one.
    """

    def __init__(self, max_buffer: int) -> None:
        self._max_buffer = max_buffer
        # Protects all below. Held for a few instructions, never while waiting.
        self._lock = threading.Lock()
        self._values: deque[Any] = deque()
        self._bells: set[Bell] = set()
        self._has_ended = False  # the sender has said all
        self._is_closed = False  # the receiver takes no more

    def put(self, value: Any, bell: Bell | None) -> bool:
        """Put a value in; if there is no room, leave the bell.

        Raises:
            trio.BrokenResourceError: The receiver takes no more.
            trio.ClosedResourceError: The sender has ended this already.
        """
        with self._lock:
            if self._has_ended:
                raise trio.ClosedResourceError
            if self._is_closed:
                raise trio.BrokenResourceError
            if len(self._values) < self._max_buffer:
                self._values.append(value)
                bells = self._take_bells()
            elif bell is None:
                return False
            else:
                self._bells.add(bell)
                return False
        _ring(bells)
        return True

    def take(self, bell: Bell | None) -> tuple[Any, ...]:
        """Take a value out, as a tuple of one; if there is none, leave the bell: an empty tuple.

        Raises:
            trio.EndOfChannel: The sender has ended it, and all values were taken.
            trio.ClosedResourceError: The receiver has closed it already.
        """
        with self._lock:
            if self._is_closed:
                raise trio.ClosedResourceError
            if self._values:
                value = (self._values.popleft(),)
                bells = self._take_bells()
            elif self._has_ended:
                raise trio.EndOfChannel
            else:
                if bell is not None:
                    self._bells.add(bell)
                return ()
        _ring(bells)
        return value

    def forget(self, bell: Bell) -> None:
        """Who waited for it was cancelled."""
        with self._lock:
            self._bells.discard(bell)

    def end(self) -> None:
        """The sender has said all; the receiver takes what is under way."""
        with self._lock:
            self._has_ended = True
            bells = self._take_bells()
        _ring(bells)

    def close(self) -> None:
        """The receiver takes no more; what is under way is dropped."""
        with self._lock:
            self._is_closed = True
            self._values.clear()
            bells = self._take_bells()
        _ring(bells)

    def _take_bells(self) -> set[Bell]:
        bells, self._bells = self._bells, set()
        return bells


def _ring(bells: set[Bell]) -> None:
    for bell in bells:
        bell.ring()
