"""An actor's end of its control socket, and the children that it has ordered there."""

from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from treetap.actor.control import ControlInbox, ControlOutbox, close_all

if TYPE_CHECKING:
    from collections.abc import Callable

    Fields = dict[str, Any]

_log = logging.getLogger("treetap.actor")

#: What the spawner can't know any more when it is gone itself.
LOST = "the spawner of this tree has ended"


class Order(msgspec.Struct, frozen=True):
    """What a child is to be.

    Attributes:
        uid: Its ``ActorId.uid``.
        name: Its name.
        method: ``warm`` or ``fresh``.
        preload: Modules that it imports before it is up.
        env: Its environment.
        argv: ``sys.argv``.
        orig_argv: ``sys.orig_argv``.
        path: ``sys.path``.
        main_path: The program, see ``reference.main_place``.
        loglevel: Of its root logger.
        debug: Which crashes open a prompt there, see ``crashes``.
        depth: How many actors are above it.
        parent: The parent's ``ActorId`` as a list.
        tree: Id of the tree.
        token: Of the tree.
    """

    uid: str
    name: str
    method: str
    preload: list[str]
    env: dict[str, str]
    argv: list[str]
    orig_argv: list[str]
    path: list[str]
    main_path: str | None
    loglevel: int
    debug: bool | str
    depth: int
    parent: list[Any]
    tree: str
    token: str


class Hold:
    """What the spawner says of who is at a prompt, or waits for one, below a child; see ``guard``.

    Attributes:
        by: Who it is; ``""`` for nobody.
        answered: Set when that is known.
        over: Set when it is nobody, or nobody any more.
    """

    def __init__(self) -> None:
        self.by = ""
        self.answered = trio.Event()
        self.over = trio.Event()

    @property
    def is_on(self) -> bool:
        """Whether there is somebody."""
        return bool(self.by) and not self.over.is_set()

    def begin(self, by: str) -> None:
        self.by = by
        self.answered.set()

    def end(self) -> None:
        self.answered.set()
        self.over.set()


class Spawned:
    """A child, from the order to the end of all that it leaves.

    Attributes:
        uid: Its ``ActorId.uid``.
        name: Its name.
        pid: Of its process; 0 before there is one.
        channel: Our end of the channel.
        answered: Set when there is a process, or a refusal.
        exited: Set when its process has ended, and been reaped; or was refused.
        gone: Set when nothing is left of what it had started either.
        refusal: Why there will be no process; ``""`` if there is one.
        status: Its exit code, or minus the signal that ended it; ``None`` where unknown.
        text: What it said why it couldn't start; a traceback.
        hold: What was last said of prompts below it, if anything was.
    """

    def __init__(self, uid: str, name: str, channel: socket.socket) -> None:
        self.uid = uid
        self.name = name
        self.pid = 0
        self.channel = channel
        self.answered = trio.Event()
        self.exited = trio.Event()
        self.gone = trio.Event()
        self.refusal = ""
        self.status: int | None = None
        self.text = ""
        self.hold: Hold | None = None

    def fresh_hold(self) -> Hold:
        """The hold that goes on, or a new one."""
        if self.hold is None or self.hold.over.is_set():
            self.hold = Hold()
        return self.hold

    def end_unknown(self) -> None:
        """Nobody will tell any more."""
        if not self.answered.is_set():
            self.refusal = f"{LOST}."
        self.end()

    def end(self) -> None:
        """There is nothing more to be told."""
        for event in (self.answered, self.exited, self.gone):
            event.set()
        if self.hold is not None:
            self.hold.end()


class Search:
    """A search for another actor.

    Attributes:
        answered: Set when ``actor`` is known.
        actor: Its ``name``, ``pid`` and ``uid``; ``None`` for nobody.
    """

    def __init__(self) -> None:
        self.answered = trio.Event()
        self.actor: Fields | None = None


class ControlLink:
    """Orders, searches, and what the spawner reports.

    Nothing here waits: a task that is cancelled leaves no half of a message behind. ``serve`` has
    to run all the while.

    Args:
        sock: The control socket. Owned.
        on_incoming: Called with the channel when another actor has searched for this one.
        on_lost: Called when the spawner is gone.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        on_incoming: Callable[[socket.socket], None],
        on_lost: Callable[[], None],
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._inbox = ControlInbox(sock)
        self._outbox = ControlOutbox(sock)
        self._on_incoming = on_incoming
        self._on_lost = on_lost
        self._has_to_flush = trio.Event()
        self._children: dict[str, Spawned] = {}
        self._searches: dict[str, Search] = {}
        self.is_lost = False

    @property
    def child_count(self) -> int:
        """How many children there are of which something is left."""
        return len(self._children)

    async def serve(self) -> None:
        """Read and write until the spawner is gone."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write_forever)
            await self._read_all()
            nursery.cancel_scope.cancel()
        self._lose()

    def close(self) -> None:
        """Hang up; the spawner sees that at once, whoever else holds the socket."""
        self.is_lost = True
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._inbox.close()
        self._outbox.close()
        if self._sock.fileno() >= 0:
            self._sock.close()

    # What is said.

    def say(self, op: str, **fields: Any) -> None:
        """Tell the spawner something."""
        self._put({"op": op, **fields}, [])

    def order(self, order: Order, *, cwd: int, stdout: int, stderr: int) -> Spawned:
        """Have a child made.

        Args:
            order: What it is to be.
            cwd: Descriptor of its working directory; taken over, as the others are.
            stdout: Of its standard output.
            stderr: Of its standard error.
        """
        ours, theirs = socket.socketpair()
        spawned = Spawned(order.uid, order.name, ours)
        self._children[order.uid] = spawned
        descriptors = [theirs.detach(), cwd, stdout, stderr]
        self._put({"op": "spawn", **msgspec.structs.asdict(order)}, descriptors)
        if self.is_lost:
            self._lose()
        return spawned

    def ask(self, spawned: Spawned) -> Hold:
        """Ask whether a child can be ended, or somebody below it is at a prompt."""
        hold = spawned.fresh_hold()
        if spawned.gone.is_set():
            hold.end()
        else:
            self.say("ask", uid=spawned.uid)
        return hold

    def search(self, uid: str, name: str, *, is_patient: bool) -> tuple[Search, socket.socket]:
        """Look for another actor of this tree; the answer, and the channel to be."""
        ours, theirs = socket.socketpair()
        search = self._searches[uid] = Search()
        op = "wait" if is_patient else "find"
        self._put({"op": op, "uid": uid, "name": name}, [theirs.detach()])
        if self.is_lost:
            self._lose()
        return search, ours

    def forget_search(self, uid: str) -> None:
        """It isn't wanted any more."""
        search = self._searches.pop(uid, None)
        if search is not None and not search.answered.is_set():
            self.say("quit", uid=uid)

    # Inside.

    def _put(self, fields: Fields, descriptors: list[int]) -> None:
        if self.is_lost:
            close_all(descriptors)
            return
        self._outbox.put(fields, descriptors)
        self._flush()

    def _flush(self) -> None:
        try:
            self._outbox.flush()
        except OSError:
            self._outbox.close()  # the reader sees the end, too
        if self._outbox:
            self._has_to_flush.set()

    async def _write_forever(self) -> None:
        while True:
            await self._has_to_flush.wait()
            self._has_to_flush = trio.Event()
            await trio.lowlevel.wait_writable(self._sock)
            self._flush()

    async def _read_all(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._sock)
            try:
                messages = self._inbox.receive()
            except BlockingIOError:
                continue
            if messages is None:
                return
            for fields, descriptors in messages:
                self._note(fields, descriptors)

    def _note(self, fields: Fields, descriptors: list[int]) -> None:
        match fields["op"]:
            case "incoming":
                self._on_incoming(socket.socket(fileno=descriptors[0]))
            case "found":
                search = self._searches.pop(fields["uid"], None)
                if search is not None:
                    search.actor = fields["actor"]
                    search.answered.set()
            case _:
                spawned = self._children.get(fields["uid"])
                if spawned is not None:
                    self._note_child(spawned, fields)

    def _note_child(self, spawned: Spawned, fields: Fields) -> None:
        match fields["op"]:
            case "spawned":
                spawned.pid = fields["pid"]
                spawned.answered.set()
            case "refused":
                spawned.refusal = fields["text"]
                del self._children[spawned.uid]
                spawned.end()
            case "exited":
                spawned.status = fields["status"]
                spawned.text = fields["text"]
                spawned.exited.set()
            case "gone":
                del self._children[spawned.uid]
                spawned.gone.set()
                if spawned.hold is not None:
                    spawned.hold.end()
            case "held":
                spawned.fresh_hold().begin(fields["by"])
            case "free":
                if spawned.hold is not None:
                    spawned.hold.end()

    def _lose(self) -> None:
        if not self.is_lost:
            self.is_lost = True
            self._on_lost()
        children, self._children = self._children, {}
        for spawned in children.values():
            spawned.end_unknown()
        searches, self._searches = self._searches, {}
        for search in searches.values():
            search.answered.set()


def inherited(number: int) -> int:
    """A copy of one of this process's standard descriptors; of ``/dev/null`` if it has none."""
    try:
        return os.dup(number)
    except OSError:
        return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)


def directory(path: str | os.PathLike[str] | None) -> int:
    """A descriptor of a directory; of the working directory if none is named.

    Raises:
        OSError: There is no such directory.
    """
    flags = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
    return os.open("." if path is None else os.fspath(path), flags)
