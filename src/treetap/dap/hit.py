"""What comes from a session while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from treetap.model.captured import Captured


class Hit(NamedTuple):
    """One execution of a logpoint.

    Attributes:
        id: Of the logpoint.
        number: From 0, one up with each hit that this logpoint recorded: a gap is what was lost.
        time_ns: Unix time, taken where the program is, if the adapter lets us.
        values: One an expression, in their order, each in a form of ``model.captured``; one that
            could not be evaluated is an ``error`` form.
        snapshot: The ``snapshot`` form, if the stack or locals were wanted; else ``None``.
        thread_id, thread_name: Where it ran; 0 and ``""`` if the adapter doesn't tell.
        function: Its name; ``""`` if the adapter doesn't tell.
    """

    id: str
    number: int
    time_ns: int
    values: tuple[Captured, ...]
    snapshot: dict[str, Any] | None = None
    thread_id: int = 0
    thread_name: str = ""
    function: str = ""


class Fault(NamedTuple):
    """Something that went wrong, and that no request asked about.

    Attributes:
        id: Of the logpoint that it is about; ``""`` if it is about the session.
        kind: ``condition`` (it raised; told once a logpoint), ``hit`` (one that could not be read, and
            is lost), ``stop`` (the program stopped by itself, and was let go on), ``silent`` (it has
            not answered for a while), ``adapter`` (what the adapter said on its error channel),
            ``child`` (one that could not be attached to, or let go).
        text: In a sentence.
    """

    id: str
    kind: str
    text: str
