"""What is asked of an adapter, and what it made of it."""

from __future__ import annotations

from typing import NamedTuple

from treetap.model.probe import Limits


class Logpoint(NamedTuple):
    """One line that shall be observed. All of it holds whatever the adapter is.

    Attributes:
        id: The caller's name for it; unique in its session.
        line: From 1.
        expressions: In the program's language; each makes one value of a hit.
        condition: Record only where this expression is true; ``""`` for always.
        hit_condition: Of the hits whose condition is true: ``"3"`` the third one alone, ``">3"``,
            ``">=3"``, ``"<3"``, ``"<=3"``, ``"%3"`` every third; ``""`` for all.
        mode, rate: As of ``model.probe.Probe``.
        max_hits: Record so many, then no more; 0 for no limit.
        wants_stack: Take the stack, the innermost frame first.
        wants_locals: Take the local variables.
        limits: How much of each value is taken.
        max_frames: Of a stack.
    """

    id: str
    line: int
    expressions: tuple[str, ...] = ()
    condition: str = ""
    hit_condition: str = ""
    mode: str = "stream"
    rate: float = 0
    max_hits: int = 0
    wants_stack: bool = False
    wants_locals: bool = False
    limits: Limits = Limits()
    max_frames: int = 50


class Placed(NamedTuple):
    """The adapter's word on one logpoint.

    Attributes:
        id: Of the logpoint.
        is_verified: It is in code that is loaded. Where it isn't, a later ``on_placed`` may say
            that it is now.
        line: Where it sits, which may be another line than was asked for.
        message: Why it isn't verified, in the adapter's words.
    """

    id: str
    is_verified: bool
    line: int
    message: str = ""


class Counts(NamedTuple):
    """How a logpoint fares: of all hits since it was set.

    Attributes:
        hits: How often the line was reached.
        recorded: How many hits were sent (``Hit.number`` counts these, from 0).
        skipped: Hits that recorded nothing, by ``model.captured.SkipReason``.
        condition_error: What the condition raised the last time; ``""`` if it never did.
    """

    hits: int = 0
    recorded: int = 0
    skipped: dict[str, int] = {}  # noqa: RUF012 - a default that nobody writes to
    condition_error: str = ""
