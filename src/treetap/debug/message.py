"""What a holder or waiter and its broker say to each other: one JSON object a line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A longer line is not one of ours; who sends it is cut off.
MAX_LINE_BYTES = 65536

# From a party. What else they carry is said where they are made.
REQUEST = "request"
RELEASE = "release"
#: Give the terminal back for the time that the job is suspended; the lock stays held.
SUSPEND = "suspend"
RESUME = "resume"
#: The holder couldn't enter the broker's group; leave the foreground as it was.
STAY = "stay"

#: From anybody: who holds, who waits?
LIST = "list"

# From the broker.
PLACED = "placed"
GRANTED = "granted"
#: The lock is the party's, but another job is in the terminal's foreground.
BACKGROUND = "background"
#: The terminal is as it was before the first holder, or the next holder's.
RELEASED = "released"
#: The party's terminal isn't the broker's.
ELSEWHERE = "elsewhere"
#: The answer to LIST.
STANDINGS = "standings"
#: How the queue is now.
QUEUE = "queue"


def encode(kind: str, **content: Any) -> bytes:
    return json.dumps({"is": kind, **content}).encode() + b"\n"


class Lines:
    """Puts what is received together to messages."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, received: bytes) -> Iterator[dict[str, Any]]:
        """The messages that are whole now.

        Raises:
            ValueError: That is no message of ours.
        """
        *lines, self._rest = (self._rest + received).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            raise ValueError("a line without an end")
        for line in lines:
            message = json.loads(line)
            if not isinstance(message, dict) or not isinstance(message.get("is"), str):
                raise ValueError("not a message")  # noqa: TRY004 - JSON of the wrong form
            yield message
