"""One end of a channel between two actors: both may call functions at the other."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from treetap.actor import message, patience, prompts
from treetap.actor.call import Answer, Pending, another, cancelled_error
from treetap.actor.context import CallerSide
from treetap.actor.failure import unbox
from treetap.actor.frame import MAX_FRAME_BYTES, Inbox, Outbox
from treetap.actor.handling import Incoming, handle
from treetap.actor.message import FROM_CALLEE, LAST_NUMBER
from treetap.actor.pipe import pipe_of
from treetap.actor.portal import Portal
from treetap.actor.sending import Sender
from treetap.errors import ActorDied, ActorError, LinkError

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from treetap.actor.crashes import Debug
    from treetap.actor.identity import ActorId

logger = logging.getLogger(__name__)

#: So many calls of the other side's may run here at once; more is no program's doing.
MAX_CALLS = 65_536
#: What was said last has so long to get out before the channel is closed.
CLOSE_GRACE_S = 0.25
#: What a process had sent when it ended is here already, and only has to be taken in.
DRAIN_GRACE_S = 0.05
_TEXTS = ("accepted", "deferred", "refused")

_encode = msgspec.msgpack.Encoder().encode
_decode_hello = msgspec.msgpack.Decoder(message.Hello).decode
_decode_call = msgspec.msgpack.Decoder(message.Call).decode
_decode_cancelled = msgspec.msgpack.Decoder(message.Cancelled).decode
_decode_text = msgspec.msgpack.Decoder(str).decode


class Peer:
    """One end of a channel. ``serve()`` must run for anything to happen.

    Args:
        stream: A connected socket, or a trio stream (TLS); taken over.
        local: Who we are.
        remote: Who is at the other end, where that is known before it says so itself.
        main_path: Of an actor: the program of its root, from ``main_place()`` there.
        explain: Asked once when the connection ends without our doing; what it gives is raised
            in all that waits for the other side.
        on_cancel_actor: Called when the other side asks this actor to end; without it, refused.
        why_ending: Says why this actor ends, for callers whose calls are cancelled by that.
        debug: Which crashes of functions that the other side calls open a prompt here.
        cancel_grace_s: What a cancelled call waits for its end at the other side.
        max_frame_bytes: Of one message, both ways.
    """

    def __init__(
        self,
        stream: socket.socket | trio.SocketStream | trio.abc.Stream,
        *,
        local: ActorId,
        remote: ActorId | None = None,
        main_path: str | None = None,
        explain: Callable[[], Awaitable[ActorDied]] | None = None,
        on_cancel_actor: Callable[[], None] | None = None,
        why_ending: Callable[[], str] | None = None,
        debug: Debug = False,
        cancel_grace_s: float = 0.5,
        max_frame_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        self.local = local
        self.main_path = main_path
        self.debug = debug
        self.cancel_grace_s = cancel_grace_s
        self.portal = Portal(self)
        #: Why the connection was ended by us, if the other side gave reason to.
        self.fault = ""
        #: Waits while somebody in the other actor, or below it, is at a prompt; whether it had to.
        self.until_free: Callable[[], Awaitable[bool]] | None = None
        self._remote = remote
        self._explain = explain
        self._on_cancel_actor = on_cancel_actor
        self._why_ending = why_ending
        self._pipe = pipe_of(stream)
        self._inbox = Inbox(max_frame_bytes)
        self.sender = Sender(self._pipe, Outbox(max_frame_bytes), self._on_broken)
        self._outgoing: dict[int, Pending | CallerSide[Any, Any, Any]] = {}
        self._incoming: dict[int, Incoming] = {}
        self._last_number = 0
        self._last_incoming = 0
        self._reading = trio.CancelScope(shield=True)
        self._is_over = trio.Event()
        self._is_ending = False
        self._has_greeted = False
        self._has_served = False
        self._was_asked_to_end = False
        self._known = trio.Event()
        self._lost: ActorDied | None = None
        self._answers: deque[Answer] = deque()
        self._service: trio.Nursery
        self._actions = self._make_actions()
        self.sender.put(message.HELLO, 0, _encode(message.Hello(message.PROTOCOL, local)))
        if remote is not None:
            self._known.set()

    @property
    def remote(self) -> ActorId:
        """Who is at the other end.

        Raises:
            ActorError: It has not said so yet.
        """
        if self._remote is None:
            raise ActorError("The other side has not said yet who it is.", slug="actor-unknown")
        return self._remote

    async def serve(
        self, *, task_status: trio.TaskStatus[Portal] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve the channel until it ends; raises nothing for what the other side does.

        Calls of the other side run as tasks in here. Cancelled, it cancels them, tells the other
        side, and closes the channel; whatever waits for the other side gets `ActorDied`.

        Args:
            task_status: Told the portal, when the other side has said who it is, or is gone.

        Raises:
            KeyboardInterrupt: Ctrl-c met a function that the other side had called.
        """
        if self._has_served:
            raise ActorError("serve() was called before.", slug="actor-unknown")
        self._has_served = True
        try:
            async with trio.open_nursery() as lines:
                lines.start_soon(self.sender.run)
                lines.start_soon(self._greeted, task_status)
                try:
                    await self._run_service(lines)
                finally:
                    self._reading.cancel()
                    self.sender.close(CLOSE_GRACE_S)
        finally:
            self._lose(ActorDied(f"The channel to {self._who()} was closed on this side."))
            await self._pipe.aclose()

    async def _run_service(self, lines: trio.Nursery) -> None:
        """Run the calls of the other side, until nobody is left to whom they could say anything.

        Reading goes on until the last of them has ended: in its end it may wait for an answer.
        """
        async with trio.open_nursery() as service:
            self._service = service
            lines.start_soon(self._read)
            try:
                await self._is_over.wait()
                await patience.until_nobody_holds_here()
                service.cancel_scope.cancel()
            finally:
                self._is_ending = True

    async def request_cancel(self) -> str:
        """Ask the other actor to end; returns when it has answered, or is gone.

        Returns:
            ``"accepted"``; ``"refused"``, if it isn't an actor that its peer can end;
            ``"deferred"``; ``"gone"``.
        """
        answer = Answer()
        if self._lost is None:
            self._answers.append(answer)
            self.sender.put_now(message.CANCEL_ACTOR, 0)
            await answer.has_come.wait()
        return answer.text

    async def outlast(self, wait: Callable[[], Awaitable[object]]) -> None:
        """Wait for the end of what was cancelled over there; see ``patience``."""
        await patience.outlast(wait, self.cancel_grace_s, self.until_free)

    @property
    def is_waited_for(self) -> bool:
        """Whether anybody here waits for something from the other side."""
        return bool(self._outgoing)

    def expect_end(self) -> None:
        """The process at the other end has ended: take in what it has sent, and wait no longer
        for the end of the connection, which a program that it had started may hold open.
        """
        self._reading.deadline = min(self._reading.deadline, trio.current_time() + DRAIN_GRACE_S)

    def why_ending(self) -> str:
        """Why calls that run here are cancelled by none of their callers."""
        if self._why_ending is not None:
            return self._why_ending()
        if self._was_asked_to_end:
            return f"{self._who()} asked the actor to end"
        return f"{self.local} is ending"

    # What the tasks of this side say: portals, contexts, handlers.

    def next_number(self) -> int:
        """A number for a call that no other call has."""
        number = self._last_number
        while True:
            number = number + 1 if number < LAST_NUMBER else 1
            if number not in self._outgoing:
                self._last_number = number
                return number

    def begin(self, call: Pending | CallerSide[Any, Any, Any], body: bytes, number: int = 0) -> int:
        """Send a call, whose end ``call`` will be told.

        Returns:
            Its number.

        Raises:
            ActorDied: The connection has ended.
            PayloadError: The call is larger than a message may be.
        """
        if self._lost is not None:
            raise another(self._lost)
        number = number or self.next_number()
        if self._outgoing:
            self.sender.put(message.CALL, number, body)
        else:
            # Nobody else is about to speak: there is nothing to wait for.
            self.sender.put_now(message.CALL, number, body)
        self._outgoing[number] = call
        return number

    def finish(self, incoming: Incoming, kind: int, body: bytes) -> None:
        """Say how a call of the other side's has ended.

        Raises:
            PayloadError: That is larger than a message may be.
        """
        is_last = len(self._incoming) == 1
        put = self.sender.put_now if is_last else self.sender.put
        put(kind, incoming.number | FROM_CALLEE, body)
        self._incoming.pop(incoming.number, None)

    # Reading.

    async def _read(self) -> None:
        """Take in what the other side says, until the connection ends or makes no sense."""
        inbox, actions = self._inbox, self._actions
        try:
            with self._reading:
                while count := await self._pipe.receive_into(inbox.room()):
                    inbox.received(count)
                    for kind, number, body in inbox.frames():
                        actions[kind](number, body)
                if inbox.torn:
                    self.fault = "the connection ended in the middle of a message"
        except OSError as exc:
            self.fault = f"the connection broke ({exc})"
        except (ActorError, LinkError, *message.GARBLED) as exc:
            self.fault = f"it sent what makes no sense ({getattr(exc, 'what', exc)})"
            logger.warning("the channel to %s is closed: %s", self._who(), self.fault)
        self._is_over.set()
        if not self._is_ending:
            await self._explain_loss()

    def _make_actions(self) -> dict[int, Callable[[int, bytes], None]]:
        streamed = {
            kind: self._stream_action(kind)
            for kind in (
                message.ITEM,
                message.BYTES_ITEM,
                message.CREDIT,
                message.END,
                message.CLOSED,
            )
        }
        others: dict[int, Callable[[int, bytes], None]] = {
            message.HELLO: self._on_hello,
            message.CALL: self._on_call,
            message.CANCEL: self._on_cancel,
            message.STARTED: self._on_started,
            message.RESULT: self._on_result,
            message.FAILURE: self._on_failure,
            message.CANCELLED: self._on_cancelled,
            message.CANCEL_ACTOR: self._on_cancel_request,
            message.CANCEL_ACTOR_ANSWER: self._on_cancel_answer,
        }
        return _Actions(streamed | others)

    def _on_hello(self, number: int, body: bytes) -> None:
        if self._has_greeted or number:
            raise LinkError("It greeted twice.", slug="link-message")
        hello = _decode_hello(body)
        if hello.protocol != message.PROTOCOL:
            raise LinkError(
                f"It speaks version {hello.protocol} of the protocol.",
                f"Here it is version {message.PROTOCOL}; use one version of treetap.",
                slug="link-protocol",
            )
        self._has_greeted = True
        self._remote = hello.actor
        self._known.set()

    def _on_call(self, number: int, body: bytes) -> None:
        if not self._has_greeted:
            raise LinkError("It called before it said who it is.", slug="link-message")
        if not 0 < number <= LAST_NUMBER or number in self._incoming:
            raise LinkError(f"It made call {number} twice.", slug="link-message")
        if len(self._incoming) >= MAX_CALLS:
            raise LinkError(f"It made more than {MAX_CALLS} calls at once.", slug="link-message")
        call = _decode_call(body)
        incoming = Incoming(number, has_context=call.manner == message.CONTEXT)
        self._incoming[number] = incoming
        self._last_incoming = max(self._last_incoming, number)
        if self._is_ending:
            ending = message.Cancelled(self.why_ending(), is_wanted=False)
            self.finish(incoming, message.CANCELLED, _encode(ending))
            return
        self._service.start_soon(handle, self, incoming, call, name=call.qualname)

    def _on_cancel(self, number: int, body: bytes) -> None:
        incoming = self._running(number)
        if incoming is not None:
            patience.when_nobody_holds_here(self._service, incoming.call_off)

    def _running(self, number: int) -> Incoming | None:
        """The call of the other side's; None if it has just ended here."""
        incoming = self._incoming.get(number)
        if incoming is None and not 0 < number <= self._last_incoming:
            raise LinkError(f"It spoke of call {number}, which it never made.", slug="link-message")
        return incoming

    def _waiting(self, number: int) -> Pending | CallerSide[Any, Any, Any]:
        call = self._outgoing.get(number & LAST_NUMBER)
        if call is None or not number & FROM_CALLEE:
            raise LinkError(f"It spoke of call {number}, which isn't made.", slug="link-message")
        return call

    def _ended(self, number: int) -> Pending | CallerSide[Any, Any, Any]:
        call = self._waiting(number)
        del self._outgoing[number & LAST_NUMBER]
        return call

    def _context(self, number: int) -> CallerSide[Any, Any, Any]:
        call = self._waiting(number)
        if not isinstance(call, CallerSide):
            raise LinkError(f"Call {number} has no context.", slug="link-message")
        return call

    def _on_started(self, number: int, body: bytes) -> None:
        self._context(number).start(body)

    def _on_result(self, number: int, body: bytes) -> None:
        self._ended(number).succeed(body)

    def _on_failure(self, number: int, body: bytes) -> None:
        error = unbox(body, self.remote, self.main_path)
        self._ended(number).fail(error)

    def _on_cancelled(self, number: int, body: bytes) -> None:
        cancelled = _decode_cancelled(body)
        call, is_wanted = self._ended(number), cancelled.is_wanted
        error = cancelled_error(call.name, self.remote, cancelled.by, is_wanted=is_wanted)
        call.fail(error, is_wanted=is_wanted)

    def _stream_action(self, kind: int) -> Callable[[int, bytes], None]:
        outgoing, incoming = self._outgoing, self._incoming

        def deliver(number: int, body: bytes) -> None:
            if number & FROM_CALLEE:
                call = outgoing.get(number & LAST_NUMBER)
                if not isinstance(call, CallerSide):
                    call = self._context(number)
                call.stream.deliver(kind, body)
            else:
                running = incoming.get(number) or self._running(number)
                if running is not None:
                    running.deliver(kind, body)

        return deliver

    def _on_cancel_request(self, number: int, body: bytes) -> None:
        cancel_actor = self._on_cancel_actor
        answer = "refused"
        if cancel_actor is not None:
            answer = "deferred" if prompts.is_held_here() else "accepted"
        self.sender.put_now(message.CANCEL_ACTOR_ANSWER, 0, _encode(answer))
        if cancel_actor is not None:
            self._was_asked_to_end = True
            patience.when_nobody_holds_here(self._service, cancel_actor)

    def _on_cancel_answer(self, number: int, body: bytes) -> None:
        answer = _decode_text(body)
        if answer not in _TEXTS or not self._answers:
            raise LinkError("It gave an answer that nobody waits for.", slug="link-message")
        self._answers.popleft().come(answer)

    # The end.

    def _on_broken(self) -> None:
        """Nothing can be written any more; what has come can still be read, for a moment."""
        self._reading.deadline = trio.current_time() + CLOSE_GRACE_S

    async def _greeted(self, task_status: trio.TaskStatus[Portal]) -> None:
        await self._known.wait()
        task_status.started(self.portal)

    async def _explain_loss(self) -> None:
        hint = f"{self.fault[:1].upper()}{self.fault[1:]}." if self.fault else ""
        error = ActorDied(f"The connection to {self._who()} ended.", hint)
        try:
            if self._explain is not None:
                error = await self._explain()
        except Exception:
            logger.exception("why %s is gone can't be told", self._who())
        finally:
            self._lose(error)

    def _lose(self, error: ActorDied) -> None:
        """End everything that waits for the other side."""
        if self._lost is not None:
            return
        self._lost = error
        outgoing = list(self._outgoing.values())
        self._outgoing.clear()
        for call in outgoing:
            call.fail(another(error))
        for answer in self._answers:
            answer.come("gone")
        self._answers.clear()
        self._known.set()

    def _who(self) -> str:
        return (
            str(self._remote) if self._remote is not None else "an actor that never said its name"
        )


class _Actions(dict[int, "Callable[[int, bytes], None]"]):
    def __missing__(self, kind: int) -> Callable[[int, bytes], None]:
        raise LinkError(f"It sent a message of the unknown kind {kind}.", slug="link-message")
