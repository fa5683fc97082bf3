"""Errors that come out of a nursery as they went in.

trio wraps whatever leaves a nursery in an exception group. That is right for a nursery that the user
opened; a context manager of ours that has one inside must not change the type of what its user's
block raises.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence


@asynccontextmanager
async def open_bare_nursery() -> AsyncIterator[trio.Nursery]:
    """A nursery; one error leaves it as it is, several as trio's group of them."""
    error: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
    except BaseExceptionGroup as group:
        if len(group.exceptions) != 1:
            raise
        error = group.exceptions[0]  # one level only: a deeper group is the user's own
    if error is not None:
        raise_unchanged(error)


def raise_together(errors: Sequence[BaseException], what: str) -> None:
    """Raise nothing, the one error as itself, or a group of them named ``what``."""
    if len(errors) == 1:
        raise_unchanged(errors[0])
    if errors:
        raise BaseExceptionGroup(what, errors)


def raise_unchanged(error: BaseException) -> None:
    """Raise ``error`` with the context that it has: no "during handling of the above" is added."""
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error, context  # no cycle through this frame


def without(
    error: BaseException, is_known: Callable[[BaseException], bool]
) -> BaseException | None:
    """What is left of ``error`` without what is known, which may be it or members of it."""
    if isinstance(error, BaseExceptionGroup):
        _, rest = error.split(is_known)
        return rest
    return None if is_known(error) else error


def without_cancellation(error: BaseException) -> BaseException | None:
    """What is left of ``error`` without ``trio.Cancelled``."""
    return without(error, lambda each: isinstance(each, trio.Cancelled))
