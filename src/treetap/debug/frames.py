"""What the frames of a program tell: which are its own, where it begins, and whether one goes on later."""

from __future__ import annotations

import dis
import inspect
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

#: Who is at the bottom of a program: stepping off the end of what they have called ends the step.
_MACHINERY = frozenset(
    {
        *("asyncio", "concurrent", "multiprocessing", "runpy", "threading", "trio", "anyio"),
        *("treetap", "pdb", "bdb", "cmd", "code"),
    }
)


def stack(frame: FrameType | None) -> list[FrameType]:
    """The frame and its callers, the outermost first."""
    found: list[FrameType] = []
    while frame is not None:
        found.insert(0, frame)
        frame = frame.f_back
    return found


def told(exc: BaseException) -> str:
    """An exception as the last line of its traceback has it, on one line; without its notes."""
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    formatted = traceback.TracebackException(type(exc), exc, None)
    formatted.__notes__ = None
    return " ".join("".join(formatted.format_exception_only()).split())[:200]


def is_machinery(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in _MACHINERY


def bottom(frame: FrameType | None) -> FrameType | None:
    """The outermost frame of the program below this one: what has called that is machinery."""
    while frame is not None and frame.f_back is not None and not is_machinery(frame.f_back):
        frame = frame.f_back
    return frame


def is_suspending(frame: FrameType) -> bool:
    """Whether a frame that "returns" goes on later."""
    if not frame.f_code.co_flags & (
        inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
    ):
        return False
    # As 3.11 and 3.12 tell it; 3.13 is at the next instruction already.
    return dis.opname[frame.f_code.co_code[frame.f_lasti]] in ("YIELD_VALUE", "RESUME")


def program_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of the program, where the debugger itself was interrupted."""
    traced = frame
    while traced is not None:
        # What it calls on the way (fnmatch, posixpath) is the debugger's too.
        if traced.f_code.co_name == "trace_dispatch" and traced.f_globals.get("__name__") == "bdb":
            frame = traced.f_back
            break
        traced = traced.f_back
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] in (
        "treetap",
        "bdb",
        "pdb",
    ):
        frame = frame.f_back
    return frame
