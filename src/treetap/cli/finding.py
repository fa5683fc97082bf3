"""What ``treetap doctor`` says of one thing."""

from __future__ import annotations

from typing import NamedTuple

OK, NOTE, BAD = "ok", "note", "bad"


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        topic: What it is about.
        verdict: ``ok``, ``note`` or ``bad``.
        text: What was found, and the way out if it is bad.
    """

    topic: str
    verdict: str
    text: str
