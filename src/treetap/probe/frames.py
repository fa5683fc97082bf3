"""Which code objects have a frame right now: running in some thread, or suspended."""

from __future__ import annotations

import gc
import sys

from treetap.interpreter import AsyncGeneratorType, CodeType, CoroutineType, GeneratorType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import FrameType

#: ``CO_GENERATOR``, ``CO_COROUTINE`` and ``CO_ASYNC_GENERATOR``: of other code no frame is suspended.
_SUSPENDABLE = 0x20 | 0x80 | 0x200


def running_frames() -> Iterator[tuple[int, FrameType]]:
    """``(thread id, frame)`` of every frame on the stack of every thread."""
    for thread, innermost in sys._current_frames().items():
        frame: FrameType | None = innermost
        while frame is not None:
            yield thread, frame
            frame = frame.f_back


def live_codes(codes: Iterable[CodeType], holders: Sequence[object] | None = None) -> set[int]:
    """The ids of those of ``codes`` that a frame is running, or is suspended in.

    Args:
        codes: To look for.
        holders: What refers to them, where that is known already.
    """
    wanted = {id(code): code for code in codes}
    live = {id(frame.f_code) for _thread, frame in running_frames()} & set(wanted)
    if holders is None:
        # The collector looks at every object of the process, so it isn't asked for nothing.
        may_wait = [code for code in wanted.values() if code.co_flags & _SUSPENDABLE]
        holders = gc.get_referrers(*may_wait) if may_wait else ()
    for holder in holders:
        code = _suspended_code(holder)
        if code is not None and id(code) in wanted:
            live.add(id(code))
    return live


def _suspended_code(holder: object) -> CodeType | None:
    if type(holder) is GeneratorType:
        return holder.gi_code if holder.gi_frame is not None else None
    if type(holder) is CoroutineType:
        return holder.cr_code if holder.cr_frame is not None else None
    if type(holder) is AsyncGeneratorType:
        return holder.ag_code if holder.ag_frame is not None else None
    return None
