"""The nursery of actors: what starts in it, ends in it.

It is trio's nursery with processes for tasks. The block may start actors at any time; an actor
serves until it is told to end, so when the block is through its actors are ended in order, after
calls by ``run`` have come to their end. An error (of the block; the death of an actor that nobody
waits for) cancels the block and ends the others. In any case, when the ``async with`` is done, nothing is
left of what was started in it, at any depth.
"""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import trio

from treetap.actor import crashes, runtime
from treetap.actor.aftermath import without_consequences
from treetap.actor.custody import Charge, Terms, start
from treetap.errors import ActorError

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    from treetap.actor.crashes import Debug
    from treetap.actor.custody import OwnedPortal
    from treetap.actor.identity import ActorId
    from treetap.actor.runtime import Runtime

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger("treetap.actor")


class ActorNursery:
    """Starts actors; see ``open_nursery``."""

    def __init__(self, here: Runtime, terms: Terms, tasks: trio.Nursery) -> None:
        self._runtime = here
        self._terms = terms
        self._tasks = tasks
        self._charges: list[Charge] = []
        #: The ``uid`` of the actors that are ended because the nursery is cancelled.
        self._ended: set[str] = set()
        self._running_count = 0
        self._has_run_all = trio.Event()

    @property
    def cancel_scope(self) -> trio.CancelScope:
        """Around the block and all actors, as that of a trio nursery."""
        return self._tasks.cancel_scope

    @property
    def actors(self) -> list[ActorId]:
        """Who is up now."""
        return [charge.actor for charge in self._charges if charge.is_up and charge.is_alive]

    async def start_actor(
        self,
        name: str,
        *,
        start_method: str | None = None,
        preload: Iterable[str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        loglevel: int | str | None = None,
        debug: Debug | None = None,
    ) -> OwnedPortal:
        """A new actor, which is up when this returns, and serves until it is told to end.

        Args:
            name: What it is called in logs, in ``ps``, by ``find_actor``; need not be unique.
            start_method: ``warm`` (a fork of a clean process that has everything imported) or
                ``fresh`` (a new interpreter); the nursery's if not given.
            preload: Modules that it has imported when it is up; the nursery's if not given.
            env: Its environment, instead of this process's.
            cwd: Its working directory, instead of this process's.
            loglevel: Of its root logger, instead of the nursery's.
            debug: Which crashes there open a prompt, instead of what the nursery says.

        Raises:
            ActorError: It could not be started (slug ``actor-spawn``).
            ActorDied: It ended while it started; with its traceback, if it had time for one.
            ValueError: The start method, the level or ``debug`` is none.
            OSError: ``cwd`` is no directory.
        """
        terms = self._terms.but(
            start_method=start_method, preload=preload, loglevel=loglevel, debug=debug
        )
        charge = start(self._runtime, name, terms, env=env, cwd=cwd)
        self._charges.append(charge)
        try:
            self._tasks.start_soon(self._keep, charge, name=f"actor {name}")
        except RuntimeError as exc:
            self._charges.remove(charge)
            await charge.end()
            raise ActorError(
                f"The actor {name} can't be started: its nursery is done.",
                "An actor is started inside of the block of `async with open_nursery()`.",
                slug="actor-spawn",
            ) from exc
        await charge.come_up()
        return charge.portal

    async def run(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call an async function in an actor of its own, which ends with it; its result.

        The actor is named after the function. Cancelling this cancels the function.

        Raises:
            ActorError: The actor could not be started (slug ``actor-spawn``).
            Exception: What ``Portal.run`` raises.
        """
        name = getattr(function, "__name__", "call")
        self._running_count += 1
        try:
            portal = await self.start_actor(name)
            try:
                return await portal.run(function, *args, **kwargs)
            finally:
                with trio.CancelScope(shield=True):
                    await portal.cancel()
        finally:
            self._running_count -= 1
            if not self._running_count:
                self._has_run_all.set()

    async def cancel(self) -> None:
        """End all actors that are up, in order; when this returns nothing is left of them.

        The block goes on, and may start others.
        """
        async with trio.open_nursery() as nursery:
            for charge in list(self._charges):
                nursery.start_soon(charge.end)

    async def _keep(self, charge: Charge) -> None:
        """Watch over one actor to its end."""
        try:
            try:
                await charge.spawned.exited.wait()
            except trio.Cancelled:
                self._ended.add(charge.uid)  # it may be gone before the block is
                raise
            finally:
                await charge.end()
            charge.report()
        finally:
            self._charges.remove(charge)

    async def _finish(self) -> None:
        """The block is through."""
        while self._running_count:
            self._has_run_all = trio.Event()
            await self._has_run_all.wait()
        self._tasks.cancel_scope.cancel()


@asynccontextmanager
async def open_nursery(
    *,
    name: str | None = None,
    start_method: str = "warm",
    preload: Iterable[str] = (),
    cancel_grace_s: float = 0.5,
    loglevel: int | str | None = None,
    debug: Debug | None = None,
) -> AsyncIterator[ActorNursery]:
    """A nursery of actors. The first in a program begins a tree, whose root the program is.

    Args:
        name: Of the root, for who looks for it by name; read by the first nursery only.
        start_method: See ``ActorNursery.start_actor``; for those that don't say.
        preload: See there. Warm ones get them from the spawner, which imports them once.
        cancel_grace_s: How long an actor has to end in order when it is told to, and as long
            again for each level below it; one that doesn't even answer by then is killed.
        loglevel: Of the root loggers of actors; that of this process's if not given.
        debug: ``True``: a crash of the block, or of a function that is called in the actors,
            opens a prompt where it arises. ``"each"``: and one in each actor that its error
            passes, and here. What this actor was started with if not given; ``False`` in the root.

    Raises:
        ExceptionGroup: What happened in the block and to the actors, as a trio nursery raises
            it; without what followed from it.
        ValueError: The start method, the level or ``debug`` is none.
    """
    terms = Terms.checked(
        start_method, preload, cancel_grace_s, loglevel, runtime.debug_of_here(debug)
    )
    here = runtime.obtain(name)
    if terms.method == "warm":
        here.control.say("warm")
    ended_before: set[str] = set()
    here.breakpoint_hook.enter(is_wanted=bool(terms.debug))
    try:
        async with trio.open_nursery() as tasks:
            nursery = ActorNursery(here, terms, tasks)
            cancel = tasks.cancel_scope.cancel
            here.ending.enter(cancel)
            try:
                yield nursery
                await nursery._finish()
            except BaseException as exc:
                # As long as what it happened to is still there.
                crashes.look(exc, terms.debug)
                raise
            finally:
                # What is told of an actor that isn't among these, was told before it was ended.
                ended_before.update(nursery._ended)
    except BaseExceptionGroup as group:
        happened = without_consequences(group, ended_before)
        if happened is not None:
            crashes.look(happened, terms.debug, crashes.program_frame())
            raise happened from None
    finally:
        here.breakpoint_hook.leave(is_wanted=bool(terms.debug))
        here.ending.leave(cancel)
