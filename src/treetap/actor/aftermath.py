"""What happened, without what followed from it."""

from __future__ import annotations

from treetap.errors import ActorDied, RemoteCancelled


def without_consequences(group: BaseExceptionGroup, ended: set[str]) -> BaseExceptionGroup:
    """The group without errors that say only that an actor was ended because of another error.

    Args:
        group: What a nursery raised.
        ended: The ``uid`` of the actors that were ended because of it.
    """

    def follows(exc: BaseException) -> bool:
        return isinstance(exc, ActorDied | RemoteCancelled) and exc.uid in ended

    _followed, rest = group.split(follows)
    return rest if rest is not None else group
