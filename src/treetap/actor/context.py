"""A pair of linked tasks in two actors, which share their fate."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

import trio

from treetap.actor.message import CANCEL, CONTEXT, FROM_CALLEE, STARTED
from treetap.actor.payload import Slot, Target, target_of
from treetap.actor.stream import MAX_BYTES, MAX_MESSAGES, Stream
from treetap.errors import ActorDied, ActorError, LinkError, PayloadError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from treetap.actor.identity import ActorId
    from treetap.actor.peer import Peer
    from treetap.actor.portal import Portal

Sends = TypeVar("Sends")
Receives = TypeVar("Receives")
First = TypeVar("First")


class Context(Generic[Sends, Receives, First]):
    """One side of a pair of linked tasks: ``Context[what it sends, receives, started() with]``.

    The function that is called has it as its first parameter, and its annotation there decides
    what may cross, seen from that side; the caller gets the other side from ``open_context``.
    """

    def __init__(self, peer: Peer, number: int, sends: Slot, receives: Slot) -> None:
        self._peer = peer
        self._number = number
        self._has_stream = False
        self.stream: Stream[Sends, Receives] = Stream(peer.sender, number, sends, receives)

    @property
    def actor(self) -> ActorId:
        """Who is at the other end."""
        return self._peer.remote

    @property
    def portal(self) -> Portal:
        """Calls functions at the other end: a function that was called may call back."""
        return self._peer.portal

    async def started(self, value: First) -> None:
        """Of the called: let the caller enter its block, with ``value``. Once.

        Raises:
            ActorError: This is the side of the caller, or it is called a second time.
            PayloadError: ``value`` isn't what the annotation of the context says.
        """
        raise ActorError("started() is for the function that was called.", slug="actor-context")

    async def result(self) -> Any:
        """Of the caller: wait for the result of the function.

        Raises:
            ActorError: This is the side of the called.
            RemoteCancelled: It was cancelled, by whomever.
            Exception: What the function raised.
        """
        raise ActorError("result() is for the caller.", slug="actor-context")

    async def cancel(self) -> None:
        """Of the caller: cancel the function over there, and wait for its end. That is no error.

        Of the called: cancel itself; the caller gets `RemoteCancelled`.
        """
        raise NotImplementedError

    @asynccontextmanager
    async def open_stream(
        self, *, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES
    ) -> AsyncIterator[Stream[Sends, Receives]]:
        """The stream of this context, closed when the block is left; one a context.

        What the other side sends waits until this is entered. Leaving the block at the caller's
        side says that it is done with the stream: a called function that goes on sending gets
        ``trio.BrokenResourceError``, and may let that end it.

        Args:
            max_messages: So many may be under way to this side, received by nobody.
            max_bytes: So many bytes of them. A single larger message crosses all the same.

        Raises:
            ActorError: It was opened before.
        """
        if self._has_stream:
            raise ActorError("The stream of this context was opened before.", slug="actor-context")
        if max_messages < 1 or max_bytes < 1:
            raise ValueError("a stream needs room for at least one message and one byte")
        self._has_stream = True
        await trio.lowlevel.checkpoint_if_cancelled()
        self.stream.admit(max_messages, max_bytes)
        try:
            yield self.stream
        finally:
            self.stream.shut()


class CalleeSide(Context[Sends, Receives, First]):
    """The side of the function that was called."""

    def __init__(self, peer: Peer, number: int, target: Any, scope: trio.CancelScope) -> None:
        super().__init__(peer, number | FROM_CALLEE, target.sends, target.receives)
        self._first: Slot = target.first
        self._scope = scope
        self._is_started = False

    async def started(self, value: First) -> None:
        if self._is_started:
            raise ActorError("started() was called before.", slug="actor-context")
        payload = self._first.encode(value)
        await trio.lowlevel.checkpoint_if_cancelled()
        self._peer.sender.put_now(STARTED, self._number, payload)
        self._is_started = True

    async def cancel(self) -> None:
        self._scope.cancel()
        await trio.lowlevel.checkpoint()


class CallerSide(Context[Sends, Receives, First]):
    """The side of the block; what ``Peer`` tells of the end of a call comes here."""

    def __init__(self, peer: Peer, target: Target) -> None:
        contract = target.contract
        super().__init__(peer, peer.next_number(), contract.receives, contract.sends)
        self.name = contract.name
        self.scope = trio.CancelScope()
        self._contract = contract
        self._first_payload: bytes | None = None
        self._value: Any = None
        self._started = trio.Event()
        self._ended = trio.Event()
        #: What is to be raised when the block is left; and what ``result()`` raises.
        self.failure: Exception | None = None
        self._absence: Exception | None = None
        self._has_called_off = False

    # Said by the peer.

    def start(self, payload: bytes) -> None:
        """Raises:
        LinkError: It has started already.
        """
        if self._first_payload is not None:
            raise LinkError("It started a context twice.", slug="link-message")
        self._first_payload = payload
        self._started.set()

    def succeed(self, payload: bytes) -> None:
        if self._first_payload is None:
            self.fail(
                ActorError(
                    f"{self._contract.name} in {self._peer.remote} ended without started().",
                    "A function that is called by open_context() says `await "
                    "context.started(value)` when the caller may enter its block.",
                    slug="actor-not-started",
                )
            )
            return
        try:
            self._value = self._contract.result.decode(payload)
        except PayloadError as exc:
            self.fail(exc)
            return
        self._end(None)

    def fail(self, error: Exception, *, is_wanted: bool = False) -> None:
        self._absence = error
        if is_wanted and (self._has_called_off or self._first_payload is not None):
            self._end(None)
            return
        self.failure = error
        # First this, so that who waits inside the block is cancelled rather than told.
        self.scope.cancel()
        self._end(error)

    def _end(self, error: Exception | None) -> None:
        self.stream.end(is_unheard=True, error=error)
        self._ended.set()

    # Said by the program.

    async def result(self) -> Any:
        await self._ended.wait()
        if self._absence is not None:
            raise self._absence
        return self._value

    async def cancel(self) -> None:
        if not self._ended.is_set():
            self._peer.sender.put_now(CANCEL, self._number)
        await self._ended.wait()

    async def first(self) -> Any:
        """Wait for ``started()`` over there. If there is none, the scope is cancelled."""
        await self._started.wait()
        return self._contract.first.decode(self._first_payload or b"\xc0")

    async def finish(self) -> None:
        """Wait for the end over there, which nothing of ours holds up any more."""
        if not self._ended.is_set():
            self.stream.shut()
            self._peer.sender.flush()
        await self._ended.wait()

    async def call_off(self) -> None:
        """Cancel the other side because of an error here, and wait for its end, for the grace."""
        self.stream.shut(is_told=True)
        self._has_called_off = True
        if not self._ended.is_set():
            self._peer.sender.put_now(CANCEL, self._number)
            await self._peer.outlast(self._ended.wait)


@asynccontextmanager
async def opened(
    peer: Peer, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> AsyncIterator[tuple[Context[Any, Any, Any], Any]]:
    """``Portal.open_context``."""
    target = target_of(function, CONTEXT)
    body = target.prefix + target.contract.encode_arguments(args, kwargs)
    await trio.lowlevel.checkpoint_if_cancelled()
    side: CallerSide[Any, Any, Any] = CallerSide(peer, target)
    peer.begin(side, body, side._number)
    try:
        with side.scope:
            first = await side.first()
            yield side, first
            await side.finish()
    except GeneratorExit:
        side.scope.cancel()
        raise
    except BaseException as exc:  # noqa: BLE001 - it goes on, alone or with the other side's
        await side.call_off()
        _raise_both(side, exc)
    side.stream.shut(is_told=True)
    if side.failure is not None:
        raise side.failure


def _raise_both(side: CallerSide[Any, Any, Any], exc: BaseException) -> NoReturn:
    """Raise what happened: here, or over there, or both; not what followed from it."""
    failure = side.failure
    if failure is None or _contains(exc, failure):
        raise exc
    if _is_cancelled_only(exc):
        raise failure from None
    raise BaseExceptionGroup(f"both sides of a context with {side.actor} failed", [failure, exc])


def _contains(exc: BaseException, sought: BaseException) -> bool:
    if isinstance(exc, BaseExceptionGroup):
        return any(_contains(member, sought) for member in exc.exceptions)
    if isinstance(exc, ActorDied) and isinstance(sought, ActorDied):
        return exc.args == sought.args  # one death, of which each who waits is told
    return exc is sought


def _is_cancelled_only(exc: BaseException) -> bool:
    if isinstance(exc, BaseExceptionGroup):
        return all(_is_cancelled_only(member) for member in exc.exceptions)
    return isinstance(exc, trio.Cancelled)
