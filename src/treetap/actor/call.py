"""A call of a function in another actor, on the side of the caller."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import trio

from treetap.actor.message import CANCEL
from treetap.actor.payload import target_of
from treetap.errors import ActorDied, RemoteCancelled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from treetap.actor.peer import Peer


class Pending:
    """One call without a context, until its end; one task waits for it."""

    __slots__ = ("_task", "error", "is_ended", "is_wanted", "name", "payload")

    def __init__(self, name: str) -> None:
        self.name = name
        self._task: trio.lowlevel.Task | None = None
        self.is_ended = False
        self.payload = b""
        self.error: Exception | None = None
        #: The error is that it was cancelled, because of what we did.
        self.is_wanted = False

    def succeed(self, payload: bytes) -> None:
        self.payload = payload
        self._end()

    def fail(self, error: Exception, *, is_wanted: bool = False) -> None:
        self.error = error
        self.is_wanted = is_wanted
        self._end()

    def _end(self) -> None:
        self.is_ended = True
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None

    async def wait(self) -> None:
        """Until its end. Is a checkpoint only when there is something to wait for."""
        if not self.is_ended:
            self._task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


async def call(
    peer: Peer,
    function: Callable[..., Awaitable[Any]] | Callable[..., Any],
    manner: int,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Call ``function`` in the actor of ``peer``: ``Portal.run`` and ``Portal.run_sync``."""
    target = target_of(function, manner)
    contract = target.contract
    body = target.prefix + contract.encode_arguments(args, kwargs)
    await trio.lowlevel.checkpoint_if_cancelled()
    if peer.sender.is_full:
        await peer.sender.room()
    pending = Pending(contract.name)
    number = peer.begin(pending, body)
    try:
        await pending.wait()
    except BaseException:  # trio.Cancelled, or a ctrl-c that trio delivers like one
        if await _called_off(peer, number, pending):
            raise
    if pending.error is not None:
        raise pending.error
    return contract.result.decode(pending.payload)


async def _called_off(peer: Peer, number: int, pending: Pending) -> bool:
    """Cancel the call over there; whether nothing went wrong by that.

    What doesn't end within the grace is left to itself: its number stays taken until it does.
    """
    peer.sender.put_now(CANCEL, number)
    await peer.outlast(pending.wait)
    # Who cancels a whole tree cancels a call in two ways at once, by its caller and by its actor.
    was_cancelled = isinstance(pending.error, RemoteCancelled)
    return pending.error is None or pending.is_wanted or was_cancelled


def cancelled_error(name: str, actor: object, by: str, *, is_wanted: bool) -> RemoteCancelled:
    """The error for a task over there that was cancelled.

    Args:
        name: Of the function.
        actor: Where it ran.
        by: By whom, or why.
        is_wanted: It follows from what the caller did, who asks for a result all the same.
    """
    hint = (
        "It was not cancelled by its caller, so that the caller has no result and no error of it."
    )
    if is_wanted:
        hint = "So it has no result. Ask for that before you cancel it, or close its stream."
    error = RemoteCancelled(f"{name} in {actor} was cancelled: {by}.", hint)
    error.uid = getattr(actor, "uid", "")
    return error


class Answer:
    """What the other side says to being asked to end."""

    def __init__(self) -> None:
        self.text = "gone"
        self.has_come = trio.Event()

    def come(self, text: str) -> None:
        self.text = text
        self.has_come.set()


def another(error: ActorDied) -> ActorDied:
    """The same error once more: each who waits raises one of his own."""
    other = copy.copy(error)
    other.__dict__.update(error.__dict__)
    notes = getattr(error, "__notes__", None)
    if notes is not None:
        other.__notes__ = list(notes)
    return other
