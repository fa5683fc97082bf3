"""Crashes that open a prompt in actors: what ``debug`` of nurseries and actors means.

``False``: none does. ``True``: a crash opens one where it arises; its error then goes up, and nobody
on its way asks again. ``"each"``: each actor that it passes has a prompt of its own, and the nursery
in the root.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from treetap.errors import AsyncioCancelled, RemoteCancelled

if TYPE_CHECKING:
    from types import FrameType

Debug: TypeAlias = "bool | Literal['each']"

EACH: Literal["each"] = "each"
#: Set on an error that came from another actor, where it was looked at.
SEEN_BELOW = "__treetap_seen_below__"
#: What ``treetap.debug`` sets on an exception that was looked at in this process.
_SEEN = "__treetap_seen__"
#: Whose frames at the end of a traceback say where an error came in, not what went wrong.
_CARRIERS = frozenset({"treetap", "trio", "contextlib", "outcome"})
_HOOK = "PYTHONBREAKPOINT"


def checked(debug: Any) -> Debug:
    """``debug``, if it is one.

    Raises:
        ValueError: It isn't.
    """
    if debug is not True and debug is not False and debug != EACH:
        raise ValueError(f"debug can't be {debug!r}; it is True, False or {EACH!r}")
    return debug  # type: ignore[no-any-return]


def look(exc: BaseException, debug: Debug, frame: FrameType | None = None) -> None:
    """Open a prompt on ``exc`` if it is a crash that is to be shown here; returns when it is left.

    Args:
        exc: It goes on afterwards, which is the caller's to do.
        debug: What is wanted here.
        frame: Where to stop if no function of the program is in the traceback; ``None``: nowhere.
    """
    if not debug:
        return
    from treetap.debug.crash import look_at

    if not _is_crash(exc) or _is_shown(exc, is_each=debug == EACH):
        return
    only = _only_member(exc)
    shown = _of_the_program(only.__traceback__)
    if shown is None and only is not exc:
        only, shown = exc, _of_the_program(exc.__traceback__)
    if shown is None and frame is not None:
        shown = TracebackType(None, frame, frame.f_lasti, frame.f_lineno)
    if shown is None:
        return  # of the messages between two actors: the caller is told
    whole = only.__traceback__
    only.__traceback__ = shown
    try:
        look_at(only)
    finally:
        only.__traceback__ = whole


def was_seen(exc: BaseException) -> bool:
    """Whether somebody has looked at ``exc``, here or below."""
    return bool(getattr(exc, _SEEN, False) or getattr(exc, SEEN_BELOW, False))


def _is_crash(exc: BaseException) -> bool:
    """Whether it is a failure: the end of a task that was cancelled elsewhere is none either."""
    from treetap.debug.crash import is_crash

    if isinstance(exc, BaseExceptionGroup):
        return any(_is_crash(one) for one in exc.exceptions)
    return is_crash(exc) and not isinstance(exc, RemoteCancelled | AsyncioCancelled)


def _is_shown(exc: BaseException, *, is_each: bool) -> bool:
    """Whether nobody is to be asked about ``exc`` any more; a group isn't more than its members."""
    if getattr(exc, _SEEN, False) or (not is_each and getattr(exc, SEEN_BELOW, False)):
        return True
    if not isinstance(exc, BaseExceptionGroup):
        return False
    return all(_is_shown(one, is_each=is_each) for one in exc.exceptions if _is_crash(one))


def _only_member(exc: BaseException) -> BaseException:
    """Of a group with one crash in it, that one: its traceback says where it arose."""
    while isinstance(exc, BaseExceptionGroup):
        crashes = [one for one in exc.exceptions if _is_crash(one)]
        if len(crashes) != 1:
            break
        exc = crashes[0]
    return exc


def _of_the_program(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the program's first function to its last: there the prompt is of use."""
    entries = []
    while trace is not None:
        entries.append(trace)
        trace = trace.tb_next
    while entries and _is_carrier(entries[-1].tb_frame):
        entries.pop()
    while entries and _is_carrier(entries[0].tb_frame):
        del entries[0]
    made: TracebackType | None = None
    for entry in reversed(entries):
        made = TracebackType(made, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return made


def _is_carrier(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in _CARRIERS


def program_frame() -> FrameType | None:
    """The innermost function of the program that has called this one."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_carrier(frame):
        frame = frame.f_back
    return frame


class BreakpointHook:
    """``breakpoint()`` in the root: treetap's, for as long as a nursery with ``debug`` is open.

    Actors have it always, by their environment.
    """

    def __init__(self) -> None:
        self._users = 0
        self._is_ours = False

    def enter(self, *, is_wanted: bool) -> None:
        self._users += is_wanted
        if self._users and not os.environ.get(_HOOK):
            os.environ[_HOOK] = "treetap.debug.pause"
            self._is_ours = True

    def leave(self, *, is_wanted: bool) -> None:
        self._users -= is_wanted
        if not self._users and self._is_ours:
            self._is_ours = False
            os.environ.pop(_HOOK, None)
