"""A handle to another actor: what one says to call functions there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from treetap.actor.call import call
from treetap.actor.context import Context, opened
from treetap.actor.message import ASYNC, SYNC
from treetap.errors import ActorError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from treetap.actor.identity import ActorId
    from treetap.actor.peer import Peer

P = ParamSpec("P")
T = TypeVar("T")
Sends = TypeVar("Sends")
Receives = TypeVar("Receives")
First = TypeVar("First")


class Portal:
    """Calls functions in another actor. Any number of tasks may use one at the same time.

    A call that is cancelled here is cancelled there, and waits for its end there, for a short
    grace. What the function raises is raised here.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def __repr__(self) -> str:
        try:
            who = str(self.actor)
        except ActorError:
            who = "an actor that hasn't said its name"
        return f"<{type(self).__name__} to {who}>"

    @property
    def actor(self) -> ActorId:
        """Who is at the other end.

        Raises:
            ActorError: It has not said so yet.
        """
        return self._peer.remote

    async def run(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call an async function there, and wait for its result.

        Raises:
            ActorDied: The actor ended, or the connection did, before there was a result.
            RemoteCancelled: The function was cancelled by somebody else than the caller.
            PayloadError: An argument, or the result, isn't what the annotations say.
            Exception: Whatever the function raised; a RemoteError where its type isn't here.
        """
        found: T = await call(self._peer, function, ASYNC, args, kwargs)
        return found

    async def run_sync(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that isn't async, in a thread over there; raises what ``run`` does.

        Cancelled, it is left to itself: a thread can't be stopped.
        """
        found: T = await call(self._peer, function, SYNC, args, kwargs)
        return found

    def open_context(
        self,
        function: Callable[Concatenate[Context[Sends, Receives, First], P], Awaitable[Any]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> AbstractAsyncContextManager[tuple[Context[Receives, Sends, First], First]]:
        """A pair of linked tasks: the block, and ``function`` over there.

        Entering waits for ``context.started(value)`` there, and gives ``(context, value)``.
        What ends one of the two with an error cancels the other; leaving the block waits for the
        result. Raises what ``run`` does, when entered or when left.
        """
        return opened(self._peer, function, args, kwargs)

    async def cancel(self) -> None:
        """Ask the whole actor to end; returns when it has said that it will, or is gone.

        Raises:
            ActorError: It is the root of a tree, which is nobody's to end.
        """
        if await self._peer.request_cancel() == "refused":
            raise ActorError(
                f"{self.actor} isn't ended: it is a program, the root of its tree, and no actor.",
                "Cancel what it was called to do, or call a function there that ends it.",
            )
