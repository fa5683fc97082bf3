"""A resource that tasks of one process share: the first user opens it, the last one closes it.

The resource lives in a system task of its own. *Rejected:* in the task of whoever comes first: its
cancellation would take the resource from the others, and a context manager that holds a nursery has to
be left by the task that entered it.
"""

from __future__ import annotations

import contextvars
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import trio

from treetap.actor.bare import raise_unchanged
from treetap.errors import ActorError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable, Mapping
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")

#: Of one trio run, so that two runs of a process (one after another, or in two threads) share nothing.
_shared: trio.lowlevel.RunVar[dict[Hashable, _Shared[Any]] | None] = trio.lowlevel.RunVar(
    "treetap shared", default=None
)


@asynccontextmanager
async def maybe_open_context(
    acm_function: Callable[..., AbstractAsyncContextManager[T, Any]],
    kwargs: Mapping[str, Any] | None = None,
    *,
    key: Hashable = None,
) -> AsyncIterator[tuple[bool, T]]:
    """Open a resource, or join those who have it open; gives ``(is_hit, value)``.

    All who ask with the same function and the same key have one value between them. It is closed when
    the last of them leaves; whoever asks meanwhile waits for that and opens it anew. A failed opening
    isn't remembered: each who waited for it gets its error, and the next one tries again::

        async with maybe_open_context(open_feed, {"symbol": "tap"}) as (is_hit, feed):
            ...

    Args:
        acm_function: Called with ``kwargs``; gives an async context manager.
        kwargs: Its arguments.
        key: What tells one resource from another; ``kwargs`` themselves if not given.

    Raises:
        ActorError: ``kwargs`` can't be compared (``shared-key``): give a ``key``.
        BaseException: What the context manager raised, when it was opened or closed, or while it was
            open: then the block is cancelled first.
    """
    place = (acm_function, _key_of(kwargs) if key is None else key)
    shared, is_hit = await _join(place, lambda: acm_function(**(kwargs or {})))
    scope = trio.CancelScope()
    shared.scopes.add(scope)
    try:
        with scope:
            if shared.closed.is_set():
                scope.cancel()  # it ended before we had the turn
            yield is_hit, shared.value
    except BaseException:
        shared.scopes.discard(scope)
        await shared.leave()
        if shared.error is not None:
            raise shared.error  # noqa: B904 - as at the end of any block: its error is the context
        raise
    shared.scopes.discard(scope)
    await shared.leave()
    if shared.error is not None:
        raise_unchanged(shared.error)


def _key_of(kwargs: Mapping[str, Any] | None) -> Hashable:
    try:
        return frozenset((kwargs or {}).items())
    except TypeError as exc:
        raise ActorError(
            f"These arguments can't tell one shared resource from another: {exc}.",
            "Only hashable ones can. Give maybe_open_context a key= of your own.",
            slug="shared-key",
        ) from exc


async def _join(
    place: Hashable, make: Callable[[], AbstractAsyncContextManager[T, Any]]
) -> tuple[_Shared[T], bool]:
    """Become a user of the open resource of this place."""
    table = _shared.get()
    if table is None:
        table = {}
        _shared.set(table)
    await trio.lowlevel.checkpoint_if_cancelled()
    while (there := table.get(place)) is not None and there.is_closing:
        await there.closed.wait()
    shared: _Shared[T] = _Shared(place, table, make) if there is None else there
    await shared.enter()
    return shared, there is not None


class _Shared(Generic[T]):
    """One resource, and the task that has it open.

    Attributes:
        value: Once it is open.
        error: What the context manager raised.
        scopes: Of its users' blocks: cancelled when the resource ends by itself.
        is_closing: Nobody may join any more.
        closed: Its task has ended.
    """

    value: T

    def __init__(
        self,
        place: Hashable,
        table: dict[Hashable, _Shared[Any]],
        make: Callable[[], AbstractAsyncContextManager[T, Any]],
    ) -> None:
        self.error: BaseException | None = None
        self.scopes: set[trio.CancelScope] = set()
        self.is_closing = False
        self.closed = trio.Event()
        self._users = 0
        self._ready = trio.Event()
        self._leaving = trio.Event()
        self._scope = trio.CancelScope()
        table[place] = self
        trio.lowlevel.spawn_system_task(
            self._hold,
            place,
            table,
            make,
            name=f"shared {place!r}",
            # Of the one who opens it, as if the block had opened it itself.
            context=contextvars.copy_context(),
        )

    async def enter(self) -> None:
        """Count one more user, and wait until the resource is open."""
        self._users += 1
        try:
            await self._ready.wait()
        except BaseException:
            await self.leave()
            raise
        if self.error is not None:
            self._users -= 1
            raise_unchanged(self.error)

    async def leave(self) -> None:
        """Count one user less; the last one waits until the resource is closed.

        Closing is cancelled when the user is, as it would be at the end of a block of its own.
        """
        self._users -= 1
        if self._users:
            return
        self.is_closing = True
        self._leaving.set()
        try:
            await self.closed.wait()
        except trio.Cancelled:
            self._scope.cancel()
            with trio.CancelScope(shield=True):
                await self.closed.wait()
            if self.error is None:
                raise

    async def _hold(
        self,
        place: Hashable,
        table: dict[Hashable, _Shared[Any]],
        make: Callable[[], AbstractAsyncContextManager[T, Any]],
    ) -> None:
        try:
            with self._scope:
                async with make() as self.value:
                    self._ready.set()
                    await self._leaving.wait()
        except trio.Cancelled:
            raise  # the run ends, and has no users any more
        except BaseException as error:  # noqa: BLE001 - told to its users, whatever it is
            self.error = error
        finally:
            self.is_closing = True
            if table.get(place) is self:
                del table[place]
            for scope in self.scopes:
                scope.cancel()
            self._ready.set()
            self.closed.set()
