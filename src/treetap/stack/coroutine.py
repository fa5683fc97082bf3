"""Where a coroutine stands that isn't running: the frames from its own to the one that waits."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

#: A chain that is longer isn't followed to its end.
MAX_FRAMES = 200

#: ``(attribute with the frame, attribute with what it waits for)`` of coroutines, generators, and
#: asynchronous generators.
_KINDS = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))
#: Made in C: they hide what they wrap.
_WRAPPERS = frozenset(
    {"async_generator_asend", "async_generator_athrow", "coroutine_wrapper", "anext_awaitable"}
)


def frames(awaitable: Any) -> list[FrameType]:
    """The frames of what waits, outermost first; empty for one that runs, or is over."""
    found: list[FrameType] = []
    while awaitable is not None and len(found) < MAX_FRAMES:
        frame, awaited, is_known = _parts(awaitable)
        if frame is not None:
            found.append(frame)
        elif not is_known and type(awaitable).__name__ in _WRAPPERS:
            awaited = _wrapped(awaitable)
        awaitable = awaited
    return found


def own_frame(awaitable: Any) -> FrameType | None:
    """The outermost frame of a coroutine; ``None`` once it is over."""
    return _parts(awaitable)[0]


def _parts(awaitable: Any) -> tuple[FrameType | None, Any, bool]:
    for frame_name, awaited_name in _KINDS:
        # Of the type: an object of the program's may answer to any name.
        if hasattr(type(awaitable), frame_name):
            frame = getattr(awaitable, frame_name, None)
            return frame, getattr(awaitable, awaited_name, None), True
    return None, None, False


def _wrapped(wrapper: Any) -> Any:
    """What a wrapper holds, as the collector sees it."""
    for held in gc.get_referents(wrapper):
        if _parts(held)[2] or type(held).__name__ in _WRAPPERS:
            return held
    return None
