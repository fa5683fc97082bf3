"""The ways in: ``pause``, and the prompt on a dead frame. What they need is loaded when they are called."""

from __future__ import annotations

import os
import sys
from _thread import _local as local

from treetap.errors import TreetapError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from treetap.debug.prompt import Prompt


class _Slot(local):
    """A thread's prompt: it is kept, for its breakpoints and displays."""

    prompt: Prompt | None = None
    pid = 0


class _Said(set[str]):
    """What this process has said on stderr: each thing once."""


class _Detached(set[int]):
    """This process, if it has been told to pause no more; by its pid, for a forked child hasn't."""


_slot = _Slot()
_said = _Said()
_detached = _Detached()


def pause(*, header: str | None = None) -> None:
    """Stop here, with a prompt on the terminal; ``breakpoint()`` does this in a tapped tree.

    Waits until the terminal is free. Where there is none, or nobody to share it out, that is said
    in one line on stderr, once, and the program goes on.

    Args:
        header: Shown above the prompt.

    Raises:
        bdb.BdbQuit: The user quits.
    """
    frame = sys._getframe(1)
    if os.getpid() in _detached:
        return
    try:
        prompt = _own_prompt()
    except TreetapError as exc:
        say(exc)
        return
    try:
        prompt.begin(frame, header or "")
    except BaseException as exc:
        # It is the program's, raised where it stands: how the prompt came to it is nobody's matter.
        exc.__traceback__ = _without_ours(exc.__traceback__)
        raise


def post_mortem(exc: BaseException) -> None:
    """Look at where ``exc`` was raised; returns when the user is done, or at once if there is none."""
    try:
        prompt = _own_prompt()
    except TreetapError as failure:
        say(failure)
        return
    prompt.begin_dead(exc)


def detach() -> None:
    """Let this process pass every ``pause`` from now on."""
    _detached.add(os.getpid())


def say(failure: TreetapError) -> None:
    """One line on stderr, if it is new."""
    if failure.slug in _said:
        return
    _said.add(failure.slug)
    try:
        os.write(2, f"treetap: {failure.line}\n".encode())
    except OSError:
        pass


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    """What is below the last frame of treetap's: a signal handler of the program's, or nothing."""
    rest = trace
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__"))
        trace = trace.tb_next
        if name.startswith("treetap."):
            rest = trace
    return rest


class lend:  # noqa: N801 - used as a function: with lend(prompt):
    """This thread talks for another: what pauses in one of its commands is within ``prompt``."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self._former = _slot.pid, _slot.prompt

    def __enter__(self) -> None:
        _slot.pid, _slot.prompt = os.getpid(), self._prompt

    def __exit__(self, *_: object) -> None:
        _slot.pid, _slot.prompt = self._former


def _own_prompt() -> Prompt:
    from treetap.debug.prompt import Prompt
    from treetap.debug.session import Session

    if _slot.pid != os.getpid():
        _slot.pid, _slot.prompt = os.getpid(), None
    prompt = _slot.prompt
    if prompt is None:
        prompt = _slot.prompt = Prompt(Session(), say)
    elif prompt.is_talking:
        return Prompt(prompt.session, say, is_nested=True)
    return prompt
