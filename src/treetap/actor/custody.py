"""One actor in the custody of the one that started it: from the order to its orderly end."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
from typing import TYPE_CHECKING

import msgspec
import trio

from treetap.actor import crashes, log, tapping
from treetap.actor.identity import ActorId
from treetap.actor.portal import Portal
from treetap.actor.runtime import serve_soon
from treetap.actor.spawning import LOST, Order, directory, inherited
from treetap.errors import ActorDied, ActorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from treetap.actor.crashes import Debug
    from treetap.actor.runtime import Runtime, Service
    from treetap.actor.spawning import Spawned

_log = logging.getLogger("treetap.actor")

METHODS = ("warm", "fresh")
#: For the spawner to report the end of what it was told to kill; it takes milliseconds, unless
#: somebody there is at a prompt, which it says.
_REAP_TIMEOUT_S = 5.0
#: How often it is looked whether it says that.
_GONE_POLL_S = 0.1
#: For calls of its own to end that were still running here when it did.
_LAST_WORDS_S = 1.0


class Terms(msgspec.Struct, frozen=True):
    """On which terms an actor is started.

    Attributes:
        method: ``warm`` or ``fresh``.
        preload: Modules that it has imported when it is up.
        cancel_grace_s: How long it has to end, a level of its tree.
        loglevel: Of its root logger; ``None`` for that of this process at the time.
        debug: Which crashes open a prompt there.
    """

    method: str
    preload: tuple[str, ...]
    cancel_grace_s: float
    loglevel: int | None
    debug: Debug

    @classmethod
    def checked(
        cls,
        method: str,
        preload: Iterable[str],
        cancel_grace_s: float,
        loglevel: int | str | None,
        debug: Debug,
    ) -> Terms:
        """Terms that make sense.

        Raises:
            ValueError: They don't.
        """
        if method not in METHODS:
            raise ValueError(f"start_method can't be {method!r}; it is one of {METHODS}")
        if isinstance(preload, str):
            raise ValueError(f"preload is a list of modules, as in preload=[{preload!r}]")  # noqa: TRY004 - one kind of error for all of them
        if not cancel_grace_s >= 0:
            raise ValueError(f"cancel_grace_s can't be {cancel_grace_s!r}")
        level = None if loglevel is None else log.level_of(loglevel)
        return cls(method, tuple(preload), float(cancel_grace_s), level, crashes.checked(debug))

    def but(
        self,
        *,
        start_method: str | None,
        preload: Iterable[str] | None,
        loglevel: int | str | None,
        debug: Debug | None,
    ) -> Terms:
        """With what is given instead.

        Raises:
            ValueError: That makes no sense.
        """
        return Terms.checked(
            self.method if start_method is None else start_method,
            self.preload if preload is None else preload,
            self.cancel_grace_s,
            self.loglevel if loglevel is None else loglevel,
            self.debug if debug is None else debug,
        )


class OwnedPortal(Portal):
    """The portal to an actor that was started here."""

    def __init__(self, charge: Charge) -> None:
        super().__init__(charge.service.peer)
        self._charge = charge

    async def cancel(self) -> None:
        """End the actor in order; when this returns nothing is left of it."""
        await self._charge.end()

    async def wait(self) -> int | None:
        """Wait until its process has ended.

        Returns:
            Its exit code, or minus the signal that ended it; ``None`` where nobody knows.
        """
        self._charge.is_awaited = True
        await self._charge.spawned.exited.wait()
        return self._charge.spawned.status


class Charge:
    """An actor that was started here.

    Attributes:
        spawned: Its process.
        service: Its channel.
        portal: To it.
        is_up: It has said who it is.
        is_awaited: Somebody waits for its end, so that this is no surprise.
    """

    def __init__(self, here: Runtime, spawned: Spawned, cancel_grace_s: float) -> None:
        self.spawned = spawned
        self._runtime = here
        self._cancel_grace_s = cancel_grace_s
        self._is_told_to_end = False
        self._is_unwanted = False  # nor is it missed: it is killed without a word
        self._was_reported = False
        self._was_said_held = False
        self.is_up = False
        self.is_awaited = False
        peer = here.open_peer(spawned.channel, remote=None, explain=self._explain)
        peer.until_free = self._until_free
        self.service: Service = serve_soon(peer)
        self.portal = OwnedPortal(self)

    @property
    def uid(self) -> str:
        """Of its ``ActorId``."""
        return self.spawned.uid

    @property
    def is_alive(self) -> bool:
        """Whether its process hasn't ended."""
        return not self.spawned.exited.is_set()

    @property
    def actor(self) -> ActorId:
        """Who it is, as far as that is known before it has said so."""
        me = self._runtime.me
        return ActorId(self.spawned.name, self.spawned.pid, me.host, me.tree, self.uid)

    async def come_up(self) -> None:
        """Wait until it serves.

        Raises:
            ActorError: It never will (slug ``actor-spawn``).
        """
        name = self.spawned.name
        try:
            await self.spawned.answered.wait()
            if not self.spawned.refusal:
                await self.service.greeted.wait()
        except trio.Cancelled:
            # Nobody will have a use for it.
            self._begin_end()
            self._is_unwanted = True
            self._runtime.control.say("kill", uid=self.uid)
            raise
        if self.spawned.refusal:
            self._was_reported = True
            what = f"The actor {name} can't be started."
            raise ActorError(what, self.spawned.refusal, slug="actor-spawn")
        if self.service.ended.is_set() or self.spawned.exited.is_set():
            self._was_reported = True
            await self.spawned.exited.wait()
            what = f"The actor {self.actor} {self._fate()} while it started."
            raise ActorDied(what, self.spawned.text, slug="actor-spawn")
        self.is_up = True

    def report(self) -> None:
        """Of an actor that has ended.

        Raises:
            ActorDied: It was not told to, and nobody has been told yet.
        """
        if not (self._is_told_to_end or self._was_reported or self.is_awaited):
            raise self._died()

    async def end(self) -> None:
        """End it in order, by force where that takes too long; until nothing is left of it."""
        with trio.CancelScope(shield=True):
            if not self.spawned.exited.is_set():
                self._begin_end()
                await self._tell_to_end()
            await self._wait_until_gone()
            # Its last words, and why it has none, for who waits for them.
            self.service.peer.expect_end()
            with trio.move_on_after(_LAST_WORDS_S):
                await self.service.ended.wait()
            await self.service.end()

    # Inside.

    def _begin_end(self) -> None:
        if not self.spawned.exited.is_set():
            self._is_told_to_end = True

    async def _tell_to_end(self) -> None:
        control = self._runtime.control
        await self._until_free()
        answer = await self._request_end()
        # One that doesn't answer may stand at a prompt, in the middle of its loop.
        while not answer and await self._until_free():
            answer = await self._request_end()
        if not answer:
            # It is stuck: what it should do in order, it can't.
            if not self._is_unwanted:
                _log.warning("%s doesn't answer, and is killed", self.actor)
            control.say("kill", uid=self.uid)
        else:
            # It may have "deferred" it: the spawner's clock stands still for as long.
            control.say("end", uid=self.uid, grace_s=self._cancel_grace_s)
            await self.spawned.exited.wait()
            if self.spawned.status == -signal.SIGKILL and not self._is_unwanted:
                _log.warning("%s didn't end when it was told to, and was killed", self.actor)

    async def _request_end(self) -> str:
        """Ask it to end; what it says, ``""`` if it says nothing in time."""
        with trio.move_on_after(self._cancel_grace_s):
            await self.spawned.answered.wait()
            await self.service.greeted.wait()
            return await self.service.peer.request_cancel()
        return ""

    async def _until_free(self) -> bool:
        """Wait until nobody in it, or below it, is at a prompt or waits for one.

        Returns:
            Whether there was somebody.
        """
        if not self._runtime.may_be_held or self.spawned.gone.is_set():
            return False
        hold = self._runtime.control.ask(self.spawned)
        await hold.answered.wait()
        if not hold.by:
            return False
        self._say_held(hold.by)
        await hold.over.wait()
        return True

    async def _wait_until_gone(self) -> None:
        due_s = trio.current_time() + _REAP_TIMEOUT_S
        while True:
            with trio.move_on_after(_GONE_POLL_S):
                await self.spawned.gone.wait()
                return
            hold = self.spawned.hold
            if hold is not None and hold.is_on:
                self._say_held(hold.by)
                await hold.over.wait()
                due_s = trio.current_time() + _REAP_TIMEOUT_S
            elif trio.current_time() > due_s:
                _log.error("the spawner doesn't say what became of %s", self.actor)
                return

    def _say_held(self, by: str) -> None:
        if not self._was_said_held:
            self._was_said_held = True
            _log.warning(
                "%s ends when %s has left the prompt; SIGTERM to the root doesn't wait for that",
                self.actor,
                by,
            )

    async def _explain(self) -> ActorDied:
        """For calls that wait for an answer when the channel breaks."""
        with trio.move_on_after(self._cancel_grace_s):
            await self.spawned.exited.wait()
        if self.service.peer.is_waited_for:
            self._was_reported = True
        return self._died()

    def _died(self) -> ActorDied:
        error = ActorDied(f"The actor {self.actor} {self._fate()}.", self.spawned.text)
        error.uid = self.uid
        return error

    def _fate(self) -> str:
        status = self.spawned.status
        if status is None:
            return f"is lost: {LOST}" if self.spawned.exited.is_set() else "closed its channel"
        if status < 0:
            return f"was ended by {_signal_name(-status)}"
        if self._is_told_to_end:
            return "was told to end"
        return f"ended by itself, with exit code {status}"


def start(
    here: Runtime,
    name: str,
    terms: Terms,
    *,
    env: Mapping[str, str] | None,
    cwd: str | os.PathLike[str] | None,
) -> Charge:
    """Order a new actor.

    Raises:
        OSError: ``cwd`` is no directory.
        ValueError: The name is no text, or can't be shown.
    """
    _check_name(name)
    me = here.me
    level = log.level_of(None) if terms.loglevel is None else terms.loglevel
    order = Order(
        uid=secrets.token_hex(8),
        name=name,
        method=terms.method,
        preload=list(terms.preload),
        env=tapping.child_environment(env, debug=bool(terms.debug)),
        argv=list(sys.argv),
        orig_argv=list(sys.orig_argv),
        # What stands for the working directory is this process's.
        path=[path or os.getcwd() for path in sys.path],
        main_path=here.main_path,
        loglevel=level,
        debug=terms.debug,
        depth=here.depth + 1,
        parent=list(msgspec.structs.astuple(me)),
        tree=me.tree,
        token=here.token,
    )
    spawned = here.control.order(
        order, cwd=directory(cwd), stdout=inherited(1), stderr=inherited(2)
    )
    return Charge(here, spawned, terms.cancel_grace_s)


def _check_name(name: object) -> None:
    if not (isinstance(name, str) and name and name.isprintable()):
        raise ValueError(f"an actor's name is some printable text, not {name!r}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
