"""What one trio run has of the tree: who this actor is, and its line to the spawner.

It is kept with the run itself (``trio.lowlevel.RunVar``): two runs in two threads of a process are
roots of two trees. The root's begins with its first nursery and ends with the run; until then the
spawner stays, so that the next nursery has its actors at once.
"""

from __future__ import annotations

import logging
import secrets
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio

from treetap.actor import prompts, tapping
from treetap.actor.crashes import BreakpointHook
from treetap.actor.ending import Ending
from treetap.actor.identity import ActorId
from treetap.actor.peer import Peer
from treetap.actor.reference import main_place
from treetap.actor.root import SpawnerProcess
from treetap.actor.spawning import ControlLink
from treetap.errors import ActorError
from treetap.node.identity import own_id

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable

    from treetap.actor.crashes import Debug
    from treetap.actor.portal import Portal

_log = logging.getLogger("treetap.actor")
_current: trio.lowlevel.RunVar[Runtime] = trio.lowlevel.RunVar("treetap.actor.runtime")

ROOT_NAME = "root"
#: Of a program that has no tree and speaks to one.
VISITOR_NAME = "visitor"


class Runtime:
    """The tree as this run sees it.

    Args:
        me: Who this actor is.
        parent: Who its parent is; ``None`` for the root.
        token: Of the tree.
        main_path: The root's program.
        control: The socket to the spawner. Owned.
        cancel: Ends this actor in order; ``None`` for the root, which nobody but its user ends.
        why_ending: Says why this actor ends, see ``Peer``.
        alarm: See ``SpawnerProcess.alarm``; ``None`` for all but the root.
        debug: Which crashes open a prompt here, see ``crashes``.
        depth: How many actors are above this one.

    Attributes:
        breakpoint_hook: What ``breakpoint()`` does in the root.
        control: The line to the spawner.
        ending: What becomes of SIGTERM.
    """

    def __init__(
        self,
        me: ActorId,
        *,
        parent: ActorId | None,
        token: str,
        main_path: str | None,
        control: socket.socket,
        cancel: Callable[[], None] | None = None,
        why_ending: Callable[[], str] | None = None,
        alarm: socket.socket | None = None,
        debug: Debug = False,
        depth: int = 0,
    ) -> None:
        self.me = me
        self.debug = debug
        self.depth = depth
        self.breakpoint_hook = BreakpointHook()
        self.parent = parent
        self.token = token
        self.main_path = main_path
        self.ending = Ending(alarm)
        self._cancel = cancel
        self._why_ending = why_ending
        self.control = ControlLink(control, on_incoming=self._welcome, on_lost=self._note_lost)

    @property
    def may_be_held(self) -> bool:
        """Whether somebody of this tree may be at a prompt, and is to be waited for."""
        if self.ending.number:
            return False
        return bool(prompts.traces(tapping.home(), prompts.name_of(tapping.tree())))

    @property
    def is_root(self) -> bool:
        """Whether it was this process that began the tree."""
        return self.parent is None

    @property
    def is_over(self) -> bool:
        """Whether the spawner is gone, and all that it had started."""
        return self.control.is_lost and not self.control.child_count

    def open_peer(
        self,
        stream: Any,
        *,
        remote: ActorId | None,
        explain: Callable[[], Awaitable[Any]] | None = None,
    ) -> Peer:
        """One end of a channel to another actor; nothing happens before it is served."""
        return Peer(
            stream,
            local=self.me,
            remote=remote,
            main_path=None if self.is_root else self.main_path,
            explain=explain,
            on_cancel_actor=self._cancel,
            why_ending=self._why_ending,
            debug=self.debug,
        )

    def _welcome(self, sock: socket.socket) -> None:
        serve_soon(self.open_peer(sock, remote=None))

    def _note_lost(self) -> None:
        if self._cancel is None:
            _log.error("the spawner of this tree was killed, and all its actors with it")
        else:
            # Nobody is left who would see to us.
            self._cancel()


class Service:
    """A channel that is served in the background.

    Attributes:
        greeted: Set when the other side has said who it is, or is gone.
        ended: Set when it is served no longer.
    """

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.greeted = trio.Event()
        self.ended = trio.Event()
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """As a system task, which must not raise: that would end the whole run."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    await nursery.start(self.peer.serve)
                    self.greeted.set()
        except* KeyboardInterrupt:
            # It met a function that was called from elsewhere; it is meant for the main task.
            signal.raise_signal(signal.SIGINT)
        except* Exception:  # noqa: BLE001 - it is logged
            _log.exception("a channel between actors has failed")
        finally:
            self.greeted.set()
            self.ended.set()

    async def end(self) -> None:
        """Serve no longer; calls of the other side are cancelled."""
        self._scope.cancel()
        await self.ended.wait()


def serve_soon(peer: Peer) -> Service:
    """Serve a channel, for as long as the run lasts and whatever is cancelled in it."""
    service = Service(peer)
    trio.lowlevel.spawn_system_task(service.run, name=f"treetap channel of {peer.local.name}")
    return service


def end_of(stream: Any) -> Peer:
    """This process's end of a channel to somebody who isn't known yet.

    A program without a tree has one too: as a visitor, who can call and be called.
    """
    runtime = current()
    if runtime is None:
        return Peer(stream, local=ActorId.here(VISITOR_NAME, own_id()))
    return runtime.open_peer(stream, remote=None)


@asynccontextmanager
async def portal_over(stream: Any) -> AsyncIterator[Portal]:
    """A portal to whoever is at the other end of a channel, for as long as the block lasts."""
    service = serve_soon(end_of(stream))
    try:
        await service.greeted.wait()
        yield service.peer.portal
    finally:
        with trio.CancelScope(shield=True):
            await service.end()


def current() -> Runtime | None:
    """The runtime of this run, if it has one."""
    try:
        return _current.get()
    except LookupError:
        return None


def needed() -> Runtime:
    """The runtime of this run.

    Raises:
        ActorError: It has none (slug ``actor-no-tree``).
    """
    runtime = current()
    if runtime is None:
        raise ActorError(
            "This program has no tree of actors yet.",
            "The first `async with open_nursery()` begins one.",
            slug="actor-no-tree",
        )
    return runtime


def debug_of_here(debug: Debug | None) -> Debug:
    """``debug``, or what this actor was started with."""
    if debug is not None:
        return debug
    here = current()
    return False if here is None else here.debug


def enter(runtime: Runtime) -> None:
    """Make it the one of this run."""
    _current.set(runtime)


def current_actor() -> ActorId:
    """Who this process is in its tree of actors.

    Raises:
        ActorError: It is in none (slug ``actor-no-tree``).
        RuntimeError: This isn't called from within trio.
    """
    return needed().me


def obtain(name: str | None) -> Runtime:
    """The runtime of this run; begins a tree if there is none, of which this is the root.

    One whose spawner was killed is none any more, as soon as nothing is left of its actors.

    Args:
        name: Of the root; ``root`` if ``None``.
    """
    runtime = current()
    if runtime is not None and not (runtime.is_root and runtime.is_over):
        return runtime
    node = tapping.tap_root()
    me = ActorId.here(name or ROOT_NAME, own_id())
    spawner = SpawnerProcess(me, tapping.home(), tapping.tree(), tapping.max_hold_s())
    runtime = Runtime(
        me,
        parent=None,
        token=secrets.token_hex(32),
        main_path=main_place(),
        control=spawner.control,
        alarm=spawner.alarm,
    )
    enter(runtime)
    trio.lowlevel.spawn_system_task(_serve_root, runtime, spawner, node, name="treetap spawner")
    return runtime


async def _serve_root(runtime: Runtime, spawner: SpawnerProcess, node: Any) -> None:
    """Until the run's main task has ended. A system task, which must not raise."""
    try:
        await runtime.control.serve()
        await trio.sleep_forever()  # it was lost; what is to be said of that was said
    finally:
        # A program of an actor that was killed may be at a prompt; it ends now.
        is_idle = runtime.control.child_count == 0 and not runtime.may_be_held
        runtime.control.close()
        spawner.end(is_idle=is_idle)
        tapping.untap(node)
