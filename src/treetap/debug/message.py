"""What a party, its broker and a console say to each other: one JSON object a line.

A *party* is one pause of one thread; a *console* is where its prompt is read when it has no terminal
of its own to read from. Party and console speak over a socket pair, whose ends the broker hands out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A longer line is not one of ours; who sends it is cut off.
MAX_LINE_BYTES = 65536
#: Of a text in one message: as JSON it may have six bytes a character, those of a control character.
MAX_TEXT_CHARS = 8000

# From a party. What else they carry is said where they are made.
REQUEST = "request"
RELEASE = "release"
#: Give the terminal back for the time that the job is suspended; the lock stays held. From a
#: console too.
SUSPEND = "suspend"
RESUME = "resume"
#: The holder couldn't enter the broker's group; leave the foreground as it was.
STAY = "stay"

#: From anybody: who holds, who waits?
LIST = "list"
#: From who wants to answer a waiting party's prompt.
ANSWER = "answer"

# From the broker.
PLACED = "placed"
GRANTED = "granted"
#: The lock is the party's, but another job is in the terminal's foreground.
BACKGROUND = "background"
#: There is no terminal: somebody has to come and answer.
STRANDED = "stranded"
#: The party's end of a channel to a console comes with this.
ANSWERED = "answered"
#: The terminal is as it was before the first holder, or the next holder's.
RELEASED = "released"
#: The terminal is a shell's again: the tree's root has ended.
EVICTED = "evicted"
#: The answer to LIST.
STANDINGS = "standings"
#: The answers to ANSWER. A console's end of the channel comes with the first.
ANSWERING = "answering"
REFUSED = "refused"
#: How the queue is now.
QUEUE = "queue"

# From a party to its console.
TEXT = "text"
ASK = "ask"
COMPLETIONS = "completions"

# From a console to its party.
LINE = "line"
COMPLETE = "complete"
#: ctrl-c while no line is asked for.
INTERRUPT = "interrupt"


def encode(kind: str, **content: Any) -> bytes:
    # Escaped, a character beyond 16 bits would have twelve bytes; half of one goes through as it is.
    line = json.dumps({"is": kind, **content}, ensure_ascii=False)
    return line.encode("utf-8", "surrogatepass") + b"\n"


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
