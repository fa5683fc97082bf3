"""The threads of a process, but for treetap's own."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from treetap.stack.place import places, stack_of

if TYPE_CHECKING:
    from types import FrameType

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
#: Who is at the bottom of each of treetap's own.
_OWN = f"{_PACKAGE}/node/thread.py"
#: Where the prompt begins, on the stack of who has called it or steps.
_PROMPT = {f"{_PACKAGE}/debug/{name}.py" for name in ("entry", "prompt", "session")}
_WAITING = (f"{_PACKAGE}/debug/claim.py", "acquire")
#: What is between a step and the prompt.
_TRACING = ("/bdb.py", "/pdb.py")

#: What a thread does with the terminal.
AT_PROMPT, IN_QUEUE, NEITHER = "is at the prompt", "waits for the terminal", ""


class Stack:
    """The frames of a thread, outermost first; those of a prompt left out.

    Attributes:
        frames: The program's.
        at: What the thread does with the terminal.
    """

    __slots__ = ("at", "frames")

    def __init__(self, top: FrameType | None) -> None:
        frames = stack_of(top)
        theirs = next(
            (n for n, frame in enumerate(frames) if frame.f_code.co_filename in _PROMPT), None
        )
        if theirs is None:
            self.frames, self.at = frames, NEITHER
            return
        is_waiting = any(
            (frame.f_code.co_filename, frame.f_code.co_name) == _WAITING
            for frame in frames[theirs:]
        )
        while theirs and frames[theirs - 1].f_code.co_filename.endswith(_TRACING):
            theirs -= 1
        self.frames, self.at = frames[:theirs], IN_QUEUE if is_waiting else AT_PROMPT


def stacks() -> dict[int, Stack]:
    """The stack of every thread of the program's, by its ident."""
    return {ident: Stack(top) for ident, top in sys._current_frames().items() if not _is_own(top)}


def told(stacks: dict[int, Stack]) -> list[dict[str, Any]]:
    """The main thread first, then in the order of their birth."""
    known = _known(stacks)
    order = {ident: number for number, ident in enumerate(known)}
    idents = sorted(stacks, key=lambda ident: order.get(ident, len(order)))
    return [_told(ident, known.get(ident, ("", True)), stacks[ident]) for ident in idents]


def _told(ident: int, known: tuple[str, bool], stack: Stack) -> dict[str, Any]:
    return {
        "id": ident,
        "name": known[0] or str(ident),
        "is_daemon": known[1],
        "at": stack.at,
        "frames": places(stack.frames),
    }


def _known(stacks: dict[int, Stack]) -> dict[int, tuple[str, bool]]:
    """``{ident: (name, whether it is a daemon)}``; one of C, or of ``_thread``, isn't there."""
    threading = sys.modules.get("threading")
    if threading is None:
        return dict.fromkeys(stacks, ("MainThread", False)) if len(stacks) == 1 else {}
    main = threading.main_thread()
    found = {main.ident: main, **dict(threading._active)}
    return {ident: (str(thread.name), bool(thread.daemon)) for ident, thread in found.items()}


def _is_own(top: FrameType) -> bool:
    bottom = top
    while bottom.f_back is not None:
        bottom = bottom.f_back
    return bottom.f_code.co_filename == _OWN
