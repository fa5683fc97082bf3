"""Places in the source, as they are told: ``[file, line, function]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treetap.stack.coroutine import MAX_FRAMES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

Place = list[str | int]


def places(frames: Iterable[FrameType]) -> list[Place]:
    """One a frame, in their order."""
    return [[f.f_code.co_filename, f.f_lineno or 0, f.f_code.co_qualname] for f in frames]


def stack_of(top: FrameType | None) -> list[FrameType]:
    """The frames of a stack, outermost first; of a deep one the innermost."""
    found: list[FrameType] = []
    while top is not None and len(found) < MAX_FRAMES:
        found.append(top)
        top = top.f_back
    found.reverse()
    return found
