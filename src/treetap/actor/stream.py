"""The two-way flow of messages inside a context.

Each side says how much it is ready to take (`Credit`), and no more than that is ever under way: a
slow reader holds up the sender, not the memory of anybody. What a sender was let to send is
delivered, in order, once; what it wasn't, because it was cancelled, was not sent.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import trio

from treetap.actor.frame import LARGE_BYTES
from treetap.actor.message import BYTES_ITEM, CLOSED, CREDIT, END, ITEM, Credit
from treetap.errors import LinkError

if TYPE_CHECKING:
    from treetap.actor.payload import Slot
    from treetap.actor.sending import Sender

Sends_contra = TypeVar("Sends_contra", contravariant=True)
Receives_co = TypeVar("Receives_co", covariant=True)

MAX_MESSAGES = 1024
MAX_BYTES = 2 * 1024 * 1024
#: What a message weighs beside its body.
WEIGHT_BYTES = 64
#: So many operations that need not wait may follow each other before the others have their turn.
_TURNS = 64
VALUES = frozenset({ITEM, BYTES_ITEM})

_encode = msgspec.msgpack.Encoder().encode
_decode_credit = msgspec.msgpack.Decoder(Credit).decode


class Stream(trio.abc.SendChannel[Sends_contra], trio.abc.ReceiveChannel[Receives_co]):
    """Sends_contra to and receives from the task at the other end of a context.

    ``async for value in stream`` ends when the other side closes it, or ends. Several tasks may
    send, and several receive: each value goes to one of them.
    """

    def __init__(self, sender: Sender, number: int, sends: Slot, receives: Slot) -> None:
        self._sender = sender
        self._number = number
        self._out = sends
        self._in = receives
        self._items: deque[bytes | tuple[bytes]] = deque()
        self._readers = trio.lowlevel.ParkingLot()
        self._writers = trio.lowlevel.ParkingLot()
        #: What we may still send, and what the other side may.
        self._credit_messages = self._credit_bytes = 0
        self._granted_messages = self._granted_bytes = 0
        #: What was taken out and not granted anew.
        self._taken_messages = self._taken_bytes = 0
        self._max_messages, self._max_bytes = MAX_MESSAGES, MAX_BYTES
        self._is_closed = False  # by us, wholly
        self._has_said_end = False
        self._is_ended = False  # the other side sends no more
        self._is_unheard = False  # the other side receives no more
        self._error: BaseException | None = None
        self._turns = 0
        #: Raised by ``send`` when the other side has closed; to be told from the program's own.
        self.refusal = trio.BrokenResourceError("the other side has closed the stream")

    async def send(self, value: Sends_contra) -> None:
        """Send ``value``; waits while the other side has taken too little of what was sent.

        Cancelled, nothing was sent.

        Raises:
            PayloadError: ``value`` isn't what may be sent here; nothing was.
            trio.ClosedResourceError: This side has closed the stream, or said that it sent all.
            trio.BrokenResourceError: The other side has closed the stream, or has ended.
        """
        payload: Any = value
        if type(value) is bytes and self._out.takes_bytes and len(payload) >= LARGE_BYTES:
            kind = BYTES_ITEM
        else:
            kind, payload = ITEM, self._out.encode(value)
        self._turns += 1
        if self._turns < _TURNS:
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            self._turns = 0
            await trio.lowlevel.checkpoint()
        while (
            self._credit_messages <= 0
            or self._credit_bytes <= 0
            or self._has_said_end
            or self._is_unheard
            or self._sender.is_full
        ):
            self._refuse_to_send()
            if self._sender.is_full:
                await self._sender.room()
            else:
                self._sender.flush()
                await self._writers.park()
        self._sender.put(kind, self._number, payload)
        self._credit_messages -= 1
        self._credit_bytes -= len(payload) + WEIGHT_BYTES

    def _refuse_to_send(self) -> None:
        if self._error is not None:
            raise self._error
        if self._has_said_end:
            raise trio.ClosedResourceError("this side has closed the stream")
        if self._is_unheard:
            raise self.refusal.with_traceback(None)

    async def receive(self) -> Receives_co:
        """The next value; waits for it. Cancelled, nothing was taken.

        Raises:
            trio.EndOfChannel: The other side has said that it sent all, or has ended.
            trio.ClosedResourceError: This side has closed the stream.
            PayloadError: The value isn't what the annotations say; it is taken out all the same.
        """
        self._turns += 1
        if self._turns < _TURNS:
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            self._turns = 0
            await trio.lowlevel.checkpoint()
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._is_closed:
                raise trio.ClosedResourceError("this side has closed the stream")
            if self._is_ended:
                raise trio.EndOfChannel
            self._sender.flush()
            await self._readers.park()
        item = self._items.popleft()
        is_plain = type(item) is tuple
        payload: bytes = item[0] if is_plain else item  # type: ignore[assignment]
        self._taken_messages += 1
        self._taken_bytes += len(payload) + WEIGHT_BYTES
        if (
            self._taken_messages * 2 >= self._max_messages
            or self._taken_bytes * 2 >= self._max_bytes
        ):
            self._grant(self._taken_messages, self._taken_bytes)
            self._taken_messages = self._taken_bytes = 0
        found: Receives_co = (self._in.take_bytes if is_plain else self._in.decode)(payload)
        return found

    async def __anext__(self) -> Receives_co:
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    async def send_eof(self) -> None:
        """Say that nothing more will be sent from here; receiving goes on."""
        if not self._has_said_end:
            self._has_said_end = True
            self._writers.unpark_all()
            self._sender.put(END, self._number)
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close both directions. What has come and wasn't received is dropped."""
        self.shut()
        await trio.lowlevel.checkpoint()

    def shut(self, *, is_told: bool = False) -> None:
        """What ``aclose`` does, without a checkpoint.

        Args:
            is_told: The other side learns it in another way.
        """
        if self._is_closed:
            return
        self._is_closed = self._has_said_end = True
        self._items.clear()
        self._readers.unpark_all()
        self._writers.unpark_all()
        if not is_told:
            self._sender.put(CLOSED, self._number)

    # What the peer and the context say.

    def admit(self, max_messages: int, max_bytes: int) -> None:
        """Let the other side send: this side is ready to receive."""
        self._max_messages, self._max_bytes = max_messages, max_bytes
        self._grant(max_messages, max_bytes)

    def _grant(self, messages: int, weight: int) -> None:
        if self._is_ended:
            return
        self._granted_messages += messages
        self._granted_bytes += weight
        self._sender.put(CREDIT, self._number, _encode(Credit(messages, weight)))

    def deliver(self, kind: int, body: bytes) -> None:
        """Take in what the other side has said on this stream.

        Raises:
            LinkError: It may not say that.
            One of ``message.GARBLED``: It makes no sense.
        """
        if kind in VALUES:
            if self._granted_messages <= 0 or self._granted_bytes <= 0 or self._is_ended:
                raise LinkError("It sent more than it was let to.", slug="link-message")
            self._granted_messages -= 1
            self._granted_bytes -= len(body) + WEIGHT_BYTES
            if not self._is_closed:
                self._items.append(body if kind == ITEM else (body,))
                if self._readers:
                    self._readers.unpark()
        elif kind == CREDIT:
            credit = _decode_credit(body)
            if credit.messages < 0 or credit.bytes < 0:
                raise LinkError("It took credit back.", slug="link-message")
            self._credit_messages += credit.messages
            self._credit_bytes += credit.bytes
            self._writers.unpark_all()
        else:
            self.end(is_unheard=kind == CLOSED)

    def end(self, *, is_unheard: bool, error: BaseException | None = None) -> None:
        """The other side sends no more, and, if so, hears no more."""
        self._is_ended = True
        self._is_unheard = self._is_unheard or is_unheard
        self._error = self._error or error
        self._readers.unpark_all()
        if is_unheard:
            self._writers.unpark_all()
