"""What happened, without what followed from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treetap.errors import ActorDied, RemoteCancelled

if TYPE_CHECKING:
    from collections.abc import Iterator


def without_consequences(group: BaseExceptionGroup, ended: set[str]) -> BaseExceptionGroup | None:
    """The group without errors that say only that an actor was ended because of another error,
    or that a call was cancelled because its actor ended, where that is said too.

    Args:
        group: What a nursery raised.
        ended: The ``uid`` of the actors that were ended because the nursery was cancelled.

    Returns:
        ``None`` if nothing else happened.
    """
    dead, _rest = group.split(ActorDied)
    of_the_dead = {exc.uid for exc in _leaves(dead) if isinstance(exc, ActorDied)} - {""}

    def follows(exc: BaseException) -> bool:
        if isinstance(exc, RemoteCancelled) and exc.uid in of_the_dead:
            return True
        return isinstance(exc, ActorDied | RemoteCancelled) and exc.uid in ended

    _followed, rest = group.split(follows)
    return rest


def _leaves(exc: BaseException | None) -> Iterator[BaseException]:
    if isinstance(exc, BaseExceptionGroup):
        for each in exc.exceptions:
            yield from _leaves(each)
    elif exc is not None:
        yield exc
