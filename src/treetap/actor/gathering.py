"""Many async context managers, entered and left side by side."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

import trio

from treetap.actor.bare import (
    raise_together,
    raise_unchanged,
    without,
    without_cancellation,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")


@asynccontextmanager
async def gather_contexts(
    contexts: Iterable[AbstractAsyncContextManager[T, Any]],
) -> AsyncIterator[tuple[T, ...]]:
    """Enter all of ``contexts`` at once; gives their values in the order given.

    Each is entered and left by a task of its own, so that it may hold a nursery or a cancel scope, and
    all of them are left at the end, at once. When one can't be entered, the others are cancelled and
    left. An error of the block reaches each, as it would with nested ``async with``; a context that
    swallows it does so for itself only.

    Args:
        contexts: Of one type of value, or of several.

    Raises:
        BaseException: The block's error, or that of one context, as it is; of several, an exception
            group of them.
    """
    gathering = _Gathering(list(contexts))
    try:
        async with trio.open_nursery() as nursery:
            for number in range(len(gathering.contexts)):
                nursery.start_soon(gathering.hold, number, nursery.cancel_scope)
            try:
                await gathering.wait_until_entered()
                yield cast("tuple[T, ...]", tuple(gathering.values))
            except BaseException as error:  # noqa: BLE001 - raised when all are left
                gathering.error = error
            gathering.leaving.set()
    except BaseException as error:
        # A cancellation of a scope around us, as a rule: what failed meanwhile is told in its place.
        gathering.raise_errors(without_cancellation(error))
        raise
    gathering.raise_errors()


class _Gathering:
    """What the tasks of one ``gather_contexts`` share.

    Attributes:
        values: Of the contexts entered so far.
        error: What the block raised.
        leaving: Set when the block is over.
    """

    def __init__(self, contexts: list[AbstractAsyncContextManager[Any, Any]]) -> None:
        self.contexts = contexts
        self.values: list[Any] = [None] * len(contexts)
        self.error: BaseException | None = None
        self.leaving = trio.Event()
        self._errors: list[BaseException] = []
        self._is_cut_short = False
        self._all_entered = trio.Event()
        self._missing = len(contexts)

    async def wait_until_entered(self) -> None:
        if self._missing:
            await self._all_entered.wait()
        else:
            await trio.lowlevel.checkpoint()

    async def hold(self, number: int, scope: trio.CancelScope) -> None:
        """Enter a context, keep it until the block is over, leave it."""
        try:
            async with self.contexts[number] as value:
                self.values[number] = value
                self._missing -= 1
                if not self._missing:
                    self._all_entered.set()
                await self.leaving.wait()
                if self.error is not None:
                    raise_unchanged(self.error)
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 - gathered: the nursery would make groups
            rest = without(error, lambda each: each is self.error)
            if rest is not None:
                self._errors.append(rest)
        if not self.leaving.is_set():
            # It failed, or it swallowed a cancellation of its own and is left: the block is over.
            self._is_cut_short = True
            scope.cancel()

    def raise_errors(self, more: BaseException | None = None) -> None:
        error = self.error
        if error is not None and (self._is_cut_short or self._errors):
            # Our own cancellation of the block ends here, and no other's stands beside what failed: it
            # is met again at the next checkpoint.
            error = without_cancellation(error)
        errors = [each for each in (error, *self._errors, more) if each is not None]
        raise_together(errors, "several contexts failed")
