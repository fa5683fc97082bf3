"""The error of a program that failed: what it says, and how it is had out of a nursery's group."""

from __future__ import annotations

import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from treetap.process.harmless import make_harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treetap.process.tail import HeadAndTail

INDENT = "   "


def failure(
    returncode: int,
    command: Any,
    *,
    stdout: HeadAndTail | None,
    stderr: HeadAndTail | None,
    remarks: list[str],
) -> subprocess.CalledProcessError:
    """The error of a program that ended with a code that isn't a success.

    Args:
        returncode: Negative for a death by a signal.
        command: As it was started.
        stdout: What was kept of it, if anything was.
        stderr: Likewise.
        remarks: Notes to add, one each.
    """
    error = subprocess.CalledProcessError(
        returncode,
        command,
        output=None if stdout is None else bytes(stdout),
        stderr=None if stderr is None else bytes(stderr),
    )
    if returncode < 0:
        error.add_note(f"It was ended by {signal_name(-returncode)}.")
    if error.stderr is not None:
        error.add_note(f"stderr:\n{shown(error.stderr)}".rstrip("\n"))
    for remark in remarks:
        error.add_note(remark)
    return error


def signal_name(number: int) -> str:
    """``"SIGKILL (9)"``; a number without a name is told by what it is."""
    try:
        return f"{signal.Signals(number).name} ({number})"
    except ValueError:
        return f"signal {number}"


def shown(output: bytes) -> str:
    """Output of a program, indented and harmless."""
    lines = output.decode("utf-8", "replace").split("\n")
    return "\n".join((INDENT + make_harmless(line.rstrip("\r"))).rstrip() for line in lines)


def find_failure(error: BaseException) -> subprocess.CalledProcessError | None:
    """The first :class:`subprocess.CalledProcessError` in an exception group, at any depth.

    Args:
        error: What a nursery raised; the error itself is found as well.
    """
    if isinstance(error, subprocess.CalledProcessError):
        return error
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            if (found := find_failure(member)) is not None:
                return found
    return None


@contextmanager
def bare_errors() -> Iterator[None]:
    """Raise the only exception of an exception group as itself; a group of several stays one.

    ::

        with bare_errors():
            async with trio.open_nursery() as nursery:
                await nursery.start(partial(supervise_run_process, ["make"]))
    """
    try:
        yield
    except BaseExceptionGroup as group:
        only = _only_member(group)
        if only is None:
            raise
        # Raised while the group is handled, it gets the group as its context, in place of its own.
        context = only.__context__
        try:
            raise only
        finally:
            only.__context__ = context


def _only_member(error: BaseException) -> BaseException | None:
    while isinstance(error, BaseExceptionGroup):
        if len(error.exceptions) != 1:
            return None
        error = error.exceptions[0]
    return error
