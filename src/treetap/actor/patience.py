"""Waiting for who is at a prompt, in trio: what is cancelled there ends when the prompt was left.

A loop that stands at a prompt hears nothing anyway. It runs on in a step over an ``await``, and when
another thread is at the prompt: then what was asked of this actor is kept for later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from treetap.actor.prompts import is_held_here

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_POLL_S = 0.02


async def until_nobody_holds_here() -> None:
    """Wait until this process has left its prompts."""
    # A prompt is another thread's, or a step's: nothing of trio's tells of its end.
    while is_held_here():  # noqa: ASYNC110
        await trio.sleep(_POLL_S)


def when_nobody_holds_here(tasks: trio.Nursery, act: Callable[[], None]) -> None:
    """Do it now, or when this process has left its prompts."""
    if is_held_here():
        tasks.start_soon(_later, act)
    else:
        act()


async def outlast(
    wait: Callable[[], Awaitable[object]],
    grace_s: float,
    until_free: Callable[[], Awaitable[bool]] | None,
) -> None:
    """Wait for the end of what was cancelled in another actor, for the grace; not to be cancelled.

    Args:
        wait: For the end.
        grace_s: Also after a prompt was left.
        until_free: Waits while somebody there is at a prompt; whether it had to.
    """
    with trio.CancelScope(shield=True):
        while True:
            with trio.move_on_after(grace_s):
                await wait()
                return
            if until_free is None or not await until_free():
                return


async def _later(act: Callable[[], None]) -> None:
    await until_nobody_holds_here()
    act()
