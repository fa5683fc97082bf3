"""The broker: serves a tree's terminal lock over a Unix socket, and keeps the terminal.

It runs in a process of its own (``broker_process``), so that it answers whatever the tree's own
loops are doing. It leads a process group that has the terminal while anybody holds it; the holder
enters that group. So ctrl-c reaches the holder, and the broker, which ignores it, and nobody else;
and when the holder dies, however it does, somebody is still in the foreground to give it back.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

from treetap.debug import message
from treetap.debug.lock import HOLDING, WAITING, Freed, Granted, Lock, Placed
from treetap.link.auth import SAME_USER, peer_uid, standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treetap.debug.custody import Custody, Record

#: How often the end of a process is looked for, where the kernel can't tell it.
_POLL_S = 1.0
#: How often a terminal is asked for that another tree has.
_TURN_POLL_S = 0.02
_ANOTHER_TREE = "another tree on this terminal"
#: How often a holder is looked after that a dead broker had granted the terminal to.
_RECOVERY_POLL_S = 0.01
_MAX_LABEL_CHARS = 200


class Party:
    """One pause of one thread: a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.lines = message.Lines()
        self.pid = _peer_pid(connection)
        self.pidfd = _pidfd(self.pid)
        self.label = ""
        self.id = 0
        self.since_s = 0.0

    def send(self, kind: str, **content: Any) -> None:
        # It reads what it waits for; who doesn't is not waited for.
        with contextlib.suppress(OSError):
            self.connection.send(message.encode(kind, **content))


class Broker:
    """Args:
    listener: Where the parties come.
    custody: Of the terminal.
    record: Whether a holder of an earlier broker is still at its prompt.
    root: Pid of the tree's root.
    group: That a holder enters.
    """

    def __init__(
        self, listener: socket.socket, custody: Custody, record: Record, root: int, group: int
    ) -> None:
        self._listener = listener
        self._custody = custody
        self._record = record
        #: Holds the lock, while another tree has the terminal.
        self._next: Party | None = None
        self._root = root
        self._group = group
        self._root_fd = _pidfd(root)
        self._lock: Lock[Party] = Lock()
        self._parties: set[Party] = set()
        self._count = 0
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Serve until the root has ended and nobody is connected."""
        while self._record.is_held():
            time.sleep(_RECOVERY_POLL_S)
        self._custody.recover()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        if self._root_fd is not None:
            self._selector.register(self._root_fd, selectors.EVENT_READ, None)
        is_polling = self._root_fd is None
        while self._parties or _is_alive(self._root):
            timeout_s = _POLL_S if is_polling else None
            for key, _ in self._selector.select(_TURN_POLL_S if self._next else timeout_s):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.data is None:
                    self._selector.unregister(key.fileobj)
                    self._root = 0
                elif key.data in self._parties:
                    self._hear(key.data, has_ended=key.fileobj is not key.data.connection)
            if self._next is not None and self._custody.may_take():
                self._grant(self._next)

    def hang_up(self) -> None:
        """The terminal is gone: those who would have had SIGHUP from the kernel get it."""
        if self._custody.former is not None:
            with contextlib.suppress(OSError):
                os.killpg(self._custody.former.group, signal.SIGHUP)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        if standing(peer_uid(connection), is_loopback=False) != SAME_USER:
            connection.close()
            return
        connection.setblocking(False)
        party = Party(connection)
        self._parties.add(party)
        self._selector.register(connection, selectors.EVENT_READ, party)
        if party.pidfd is not None:
            self._selector.register(party.pidfd, selectors.EVENT_READ, party)

    def _hear(self, party: Party, *, has_ended: bool) -> None:
        try:
            received = b"" if has_ended else party.connection.recv(65536)
            for heard in party.lines.feed(received):
                self._act(party, heard)
        except BlockingIOError:
            return
        except (OSError, ValueError, KeyError, TypeError):
            received = b""
        if not received:
            self._leave(party)

    def _act(self, party: Party, heard: dict[str, Any]) -> None:
        kind, state = heard["is"], self._lock.state(party)
        if kind == message.REQUEST and state != WAITING:
            party.label = str(heard["label"])[:_MAX_LABEL_CHARS]
            party.pid = party.pid or int(heard["pid"])
            if os.getsid(party.pid) != os.getsid(0):
                party.send(message.ELSEWHERE)
                return
            if not party.id:
                self._count += 1
                party.id = self._count
            party.since_s = time.monotonic()
            self._tell(party, self._lock.request(party))
        elif kind == message.LIST:
            party.send(message.STANDINGS, standings=list(self._standings()))
        elif state != HOLDING:
            return
        elif kind == message.RELEASE:
            notices = self._lock.release(party)
            self._tell(party, notices)
            party.send(message.RELEASED)
        elif kind == message.SUSPEND:
            self._give_back(party.pid)
            party.send(message.RELEASED)
        elif kind == message.RESUME:
            self._grant(party)
        elif kind == message.STAY:
            self._custody.stay()
            party.send(message.RELEASED)

    def _leave(self, party: Party) -> None:
        self._parties.discard(party)
        self._selector.unregister(party.connection)
        party.connection.close()
        if party.pidfd is not None:
            self._selector.unregister(party.pidfd)
            os.close(party.pidfd)
        self._tell(party, self._lock.die(party))

    def _tell(self, cause: Party, notices: list[Granted[Party] | Placed[Party] | Freed]) -> None:
        """Do what follows from a change of the lock; ``cause`` made it."""
        holder = self._lock.holder
        for notice in notices:
            match notice:
                case Granted(party):
                    self._grant(party)
                case Placed(party, place):
                    label = holder.label if holder is not None else ""
                    party.send(message.PLACED, place=place, holder=label)
                case Freed():
                    self._give_back(cause.pid)
        if holder is not None and not any(isinstance(notice, Granted) for notice in notices):
            holder.send(message.QUEUE, waiting=self._waiting())

    def _grant(self, party: Party) -> None:
        party.since_s = time.monotonic()
        self._next = None
        if not self._custody.may_take():
            self._next = party
            party.send(message.PLACED, place=1, holder=_ANOTHER_TREE)
            return
        former = self._custody.take(party.pid, self._root)
        if former is None:
            party.send(message.BACKGROUND)
            return
        party.send(message.GRANTED, group=self._group, former=former.group, waiting=self._waiting())

    def _standings(self) -> Iterator[dict[str, Any]]:
        """The fields of ``standing.Standing``, but for what the asker knows itself."""
        holder, now_s = self._lock.holder, time.monotonic()
        for place, party in enumerate((holder, *self._lock.waiting)):
            if party is not None:
                yield {
                    "pid": party.pid,
                    "label": party.label,
                    "state": WAITING if place else HOLDING,
                    "place": place,
                    "since_s": round(now_s - party.since_s, 3),
                    "by": "",
                    "id": party.id,
                }

    def _give_back(self, pid: int) -> None:
        self._next = None
        self._custody.give_back(pid)

    def _waiting(self) -> list[str]:
        return [party.label for party in self._lock.waiting]


def _peer_pid(connection: socket.socket) -> int:
    """Of the process at the other end; 0 where the kernel doesn't tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("iii", credentials)[0])


def _pidfd(pid: int) -> int | None:
    """Becomes readable when the process ends; a connection may live on in its children."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
