"""What two actors say to each other: which messages there are, and the bodies of some.

A message is a frame with a header of nine bytes: how many bytes follow the length itself (4), the
kind (1), and the number of the call that it is about (4), all of them big-endian. What follows is
the body, in MessagePack where it isn't empty. The two sides number their calls independently; a
message from the side that was called has the highest bit of the number set, so that the number
alone says whose call it is. What isn't about a call has the number 0.
"""

from __future__ import annotations

from struct import Struct

import msgspec

from treetap.actor.identity import ActorId

PROTOCOL = 1

HEADER = Struct(">IBI")
#: How many bytes of the header the length counts.
COUNTED = HEADER.size - 4

FROM_CALLEE = 0x8000_0000
LAST_NUMBER = 0x7FFF_FFFF

# About the connection.
HELLO = 1  # Hello; the first message of each side
CANCEL_ACTOR = 2
CANCEL_ACTOR_ANSWER = 3  # a text: "accepted" or "deferred"
# From the caller of a call.
CALL = 4  # Call
CANCEL = 5
# From the callee; each of the last three is the end of the call.
STARTED = 6  # the value of Context.started()
RESULT = 7  # the value
FAILURE = 8  # Boxed (failure.py)
CANCELLED = 9  # Cancelled
# From both sides of a context.
ITEM = 10  # a value that was sent on the stream
BYTES_ITEM = 11  # the same; the body is the value itself, which is bytes
CREDIT = 12  # Credit
END = 13  # nothing more will be sent
CLOSED = 14  # nor received

#: What decoding raises for bytes that make no sense; text that isn't UTF-8 is no error of msgspec's.
GARBLED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# How a function is called.
ASYNC = 0
SYNC = 1
CONTEXT = 2


class Hello(msgspec.Struct, frozen=True, array_like=True):
    protocol: int
    actor: ActorId


class Call(msgspec.Struct, frozen=True, array_like=True):
    """A call: which function, in which way, with what.

    Attributes:
        module: Where the function is; ``__main__`` is the caller's.
        qualname: Its path in there.
        manner: ASYNC, SYNC or CONTEXT.
        positional: An array.
        keywords: A map.
    """

    module: str
    qualname: str
    manner: int
    positional: msgspec.Raw
    keywords: msgspec.Raw


class Credit(msgspec.Struct, frozen=True, array_like=True):
    """How much more may be sent than was allowed so far."""

    messages: int
    bytes: int


class Cancelled(msgspec.Struct, frozen=True, array_like=True):
    """A call that ended by being cancelled.

    Attributes:
        by: By whom, or why.
        is_wanted: It follows from what the caller did: it asked for it, or closed the stream.
    """

    by: str
    is_wanted: bool
