"""A call from the other side, run here: one task, and exactly one end that is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import trio

from treetap.actor import crashes
from treetap.actor.context import CalleeSide
from treetap.actor.failure import box
from treetap.actor.message import (
    ASYNC,
    CANCELLED,
    CONTEXT,
    FAILURE,
    RESULT,
    SYNC,
    Call,
    Cancelled,
)
from treetap.actor.payload import contract_of
from treetap.actor.reference import Reference, resolve
from treetap.actor.stream import VALUES
from treetap.errors import ActorError, LinkError, PayloadError, RemoteError

if TYPE_CHECKING:
    from treetap.actor.peer import Peer

#: A caller grants credit once and ends its stream twice (END, CLOSED) before it has an answer.
_MAX_EARLY = 8

_encode = msgspec.msgpack.Encoder().encode


class Incoming:
    """A call of the other side's that runs here.

    Attributes:
        number: The other side's.
        scope: Around the function.
        is_called_off: The caller asked for its cancellation.
        context: If it was called with one, once it runs.
    """

    __slots__ = ("_early", "_has_context", "context", "is_called_off", "number", "scope")

    def __init__(self, number: int, *, has_context: bool) -> None:
        self.number = number
        self._has_context = has_context
        self.scope = trio.CancelScope()
        self.is_called_off = False
        self.context: CalleeSide[Any, Any, Any] | None = None
        #: What was said on the stream before the function was found.
        self._early: list[tuple[int, bytes]] = []

    def call_off(self) -> None:
        self.is_called_off = True
        self.scope.cancel()

    def deliver(self, kind: int, body: bytes) -> None:
        """Pass on what was said on the stream.

        Raises:
            LinkError: It may not be said.
            One of ``message.GARBLED``: It makes no sense.
        """
        if self.context is not None:
            self.context.stream.deliver(kind, body)
        elif self._has_context and kind not in VALUES and len(self._early) < _MAX_EARLY:
            self._early.append((kind, body))
        else:
            raise LinkError(
                f"It spoke on the stream of call {self.number}, where none is.", slug="link-message"
            )

    def enter(self, context: CalleeSide[Any, Any, Any]) -> None:
        self.context = context
        for kind, body in self._early:
            context.stream.deliver(kind, body)
        self._early.clear()


async def handle(peer: Peer, incoming: Incoming, call: Call) -> None:
    """Run ``call``, and say how it ended. Raises only what isn't about the call alone."""
    kind, body = CANCELLED, b""
    onward: BaseException | None = None
    try:
        with incoming.scope:
            body = await _run(peer, incoming, call)
            kind = RESULT
    except Exception as exc:  # noqa: BLE001 - it is the caller's
        kind, body = _failed(peer, incoming, exc)
    except BaseException as exc:  # noqa: BLE001 - it goes on below
        crashes.look(exc, peer.debug)
        kind, body, onward = _ended_from_outside(peer, exc)
    if kind == CANCELLED and not body:
        body = _encode(Cancelled(_who(peer, incoming), incoming.is_called_off))
    if incoming.context is not None:
        incoming.context.stream.shut(is_told=True)
    try:
        peer.finish(incoming, kind, body)
    except PayloadError as exc:
        peer.finish(incoming, *_too_large(kind, exc))
    if onward is not None:
        raise onward


async def _run(peer: Peer, incoming: Incoming, call: Call) -> bytes:
    reference = Reference(call.module, call.qualname)
    function = resolve(reference, peer.main_path)
    if not callable(function) or call.manner not in (ASYNC, SYNC, CONTEXT):
        raise ActorError(f"{reference} can't be called.", slug="actor-function")
    contract = contract_of(function, call.manner)
    args, kwargs = contract.decode_arguments(call.positional, call.keywords)
    if call.manner == SYNC:
        # A thread can't be stopped; cancelled, the call ends and the thread is left to itself.
        found = await trio.to_thread.run_sync(
            lambda: function(*args, **kwargs), abandon_on_cancel=True
        )
        return contract.result.encode(found)
    if call.manner == CONTEXT:
        context = CalleeSide[Any, Any, Any](peer, incoming.number, contract, incoming.scope)
        incoming.enter(context)
        found = await function(context, *args, **kwargs)
    else:
        found = await function(*args, **kwargs)
    if peer.sender.is_full:
        await peer.sender.room()
    return contract.result.encode(found)


def _failed(peer: Peer, incoming: Incoming, exc: Exception) -> tuple[int, bytes]:
    context = incoming.context
    if context is not None and _is_only(exc, context.stream.refusal):
        return CANCELLED, _encode(Cancelled("the caller has closed the stream", True))
    crashes.look(exc, peer.debug)
    return FAILURE, box(exc)


def _is_only(exc: BaseException, known: BaseException) -> bool:
    if isinstance(exc, BaseExceptionGroup):
        return all(_is_only(member, known) for member in exc.exceptions)
    return exc is known


def _ended_from_outside(peer: Peer, exc: BaseException) -> tuple[int, bytes, BaseException | None]:
    """What is said of it, and what goes on: a cancellation of all that runs here, a ctrl-c.

    Anything else that is no `Exception` ends the call, not the actor: an exit of another process's
    function isn't its program's, a ``CancelledError`` of asyncio isn't trio's.
    """
    onward: BaseException | None
    rest: BaseException | None
    if isinstance(exc, BaseExceptionGroup):
        onward, rest = exc.split((trio.Cancelled, KeyboardInterrupt))
        if onward is not None and onward.split(trio.Cancelled)[1] is not None:
            rest = exc
    else:
        onward = exc if isinstance(exc, trio.Cancelled | KeyboardInterrupt) else None
        rest = None if isinstance(exc, trio.Cancelled) else exc
    if rest is None:
        return CANCELLED, _encode(Cancelled(peer.why_ending(), False)), onward
    return FAILURE, box(rest), onward


def _who(peer: Peer, incoming: Incoming) -> str:
    if incoming.is_called_off:
        return f"by its caller {peer.remote}"
    return "by itself"


def _too_large(kind: int, exc: PayloadError) -> tuple[int, bytes]:
    if kind == RESULT:
        return FAILURE, box(exc)
    return FAILURE, box(RemoteError("The exception is too large to be sent.", str(exc)))
