"""The broker: serves a tree's terminal lock over a Unix socket, and keeps the terminal.

It runs in a process of its own (``broker_process``), so that it answers whatever the tree's own
loops are doing. It leads a process group that has the terminal while anybody holds it; the holder
enters that group. So ctrl-c reaches the holder, and the broker, which ignores it, and nobody else;
and when the holder dies, however it does, somebody is still in the foreground to give it back.

A party that can't have the terminal is *distant*: when its turn comes, a console of the broker's own
reads its lines there (``consoles``). And whoever waits can be answered from another terminal.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from treetap import proc
from treetap.debug import message
from treetap.debug.consoles import Consoles
from treetap.debug.lock import HOLDING, WAITING, Freed, Granted, Lock, Placed
from treetap.debug.party import Party, pidfd
from treetap.link.auth import SAME_USER, peer_uid, standing

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from treetap.debug.consoles import Start
    from treetap.debug.custody import Custody, NoTerminal
    from treetap.debug.record import Record

#: How often the end of a process is looked for, where the kernel can't tell it.
_POLL_S = 1.0
#: How often a terminal is asked for that another tree has, or a dead broker's holder.
_TURN_POLL_S = 0.02
#: And one that another job has: each time all processes are looked through.
_JOB_POLL_S = 0.2
_ANOTHER_TREE = "another tree on this terminal"
_ANOTHER_JOB = "another job on this terminal"
_BEFORE = "who was at the prompt before"
#: How often it is seen to that the terminal is ours still, while somebody holds.
_LOOK_S = 0.1
#: How long who has started us may take to come.
_COMING_S = 20.0
#: For which it accepts nobody when it has no descriptor left.
_FULL_S = 0.02
_MAX_LABEL_CHARS = 200
#: Of a standing.
_UNKNOWN = {"place": 0, "since_s": 0.0, "by": "", "id": 0}
_NEEDED: dict[str, dict[str, type]] = {
    message.REQUEST: {"label": str, "pid": int},
    message.ANSWER: {"label": str, "id": int},
}
_NOBODY = 0


class Broker:
    """Args:
    listener: Where the parties come.
    custody: Of the terminal.
    record: Whether a holder of an earlier broker is still at its prompt.
    root: Pid of the tree's root.
    leader: Pid of who leads the terminal's session: without it nobody can pause here any more.
    group: That a holder enters.
    start_console: Starts a console on the terminal.
    """

    def __init__(
        self,
        listener: socket.socket,
        custody: Custody | NoTerminal,
        record: Record,
        root: int,
        leader: int,
        group: int,
        start_console: Start,
    ) -> None:
        self._listener = listener
        self._custody = custody
        self._record = record
        self._wanted_until_s = time.monotonic() + _COMING_S
        #: The root has ended: nobody's job gets the terminal for those who haven't got it.
        self._is_orphaned = False
        #: A holder of an earlier broker may still be at its prompt: nobody is granted anything.
        self._is_recovering = True
        #: The holder couldn't enter our group, and has the terminal in its own.
        self._is_staying = False
        #: Holds the lock, while another tree or another job has the terminal.
        self._next: Party | None = None
        self._next_poll_s = _TURN_POLL_S
        self._root = root
        self._group = group
        self._lives = {pid: pidfd(pid) for pid in (root, leader)}
        self._lock: Lock[Party] = Lock()
        self._parties: set[Party] = set()
        self._count = 0
        #: To which the terminal was given back last.
        self._last_group = 0
        self._selector = selectors.DefaultSelector()
        self._consoles = Consoles(
            self._selector, custody, start_console, ended=self._console_ended, again=self._again
        )

    def serve(self) -> None:
        """Serve until the root, or the terminal's session, has ended and nobody is connected."""
        self._recover()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        for pid, fd in self._lives.items():
            if fd is not None:
                self._selector.register(fd, selectors.EVENT_READ, partial(self._ends, pid))
        is_polling = None in self._lives.values()
        while self._is_needed():
            for key, _ in self._selector.select(self._patience_s(is_polling=is_polling)):
                key.data()
            self._recover()
            waiting = self._next
            if waiting is not None and self._consoles.may_go_on(waiting):
                self._try(waiting)
            elif not self._is_staying:
                self._custody.retake()

    def _recover(self) -> None:
        """Give back what an earlier broker had taken, once its last holder is done."""
        if self._is_recovering and not self._record.is_held():
            self._is_recovering = False
            self._custody.recover()

    def _is_needed(self) -> bool:
        if self._is_recovering or self._parties or self._consoles.is_any:
            return True
        if all(map(proc.is_there, self._lives)):
            return True
        # Of a tree whose root has ended: whoever has started us is on the way.
        return time.monotonic() < self._wanted_until_s

    def _patience_s(self, *, is_polling: bool) -> float | None:
        if self._next is not None:
            return self._next_poll_s
        if self._is_recovering:
            return _TURN_POLL_S
        if self._custody.former is not None:
            return _LOOK_S
        return _POLL_S if is_polling or self._wanted_until_s else None

    def hang_up(self) -> None:
        """The terminal is gone: those who would have had SIGHUP from the kernel get it.

        The kernel tells the group that was in the foreground. The holder may have been on its way
        into it or out of it, or have noticed first, and given the terminal back.
        """
        holder, former = self._lock.holder, self._custody.former
        with suppress(OSError):
            if holder is not None and os.getsid(holder.pid) == os.getsid(0):
                os.kill(holder.pid, signal.SIGHUP)
        group = former.group if former is not None else self._last_group
        with suppress(OSError):
            if group and self._custody.is_gone():
                os.killpg(group, signal.SIGHUP)

    def _ends(self, pid: int) -> None:
        fd = self._lives.pop(pid)
        if fd is not None:
            self._selector.unregister(fd)
        self._lives[_NOBODY] = None
        if pid == self._root:
            self._root, self._is_orphaned = _NOBODY, True
            holder = self._lock.holder
            if holder is not None and self._custody.is_a_shells():
                self._evict(holder)

    def _evict(self, holder: Party) -> None:
        """Its job has ended, and a shell takes the terminal back: as it was before."""
        self._give_back(holder.pid)
        if self._consoles.end(holder):
            self._consoles.evict(holder)
        else:
            holder.send(message.EVICTED)
            self._tell(holder, self._lock.die(holder))

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            time.sleep(_FULL_S)  # not at full speed until somebody leaves
            return
        self._wanted_until_s = 0.0
        if standing(peer_uid(connection), is_loopback=False) != SAME_USER:
            connection.close()
            return
        connection.setblocking(False)
        party = Party(connection)
        self._parties.add(party)
        hear = partial(self._hear, party)
        self._selector.register(connection, selectors.EVENT_READ, partial(hear, has_ended=False))
        if party.pidfd is not None:
            self._selector.register(
                party.pidfd, selectors.EVENT_READ, partial(hear, has_ended=True)
            )

    def _hear(self, party: Party, *, has_ended: bool) -> None:
        if party not in self._parties:
            return
        try:
            received = b"" if has_ended else party.connection.recv(65536)
            messages = list(party.lines.feed(received))
        except BlockingIOError:
            return
        except (OSError, ValueError):
            received, messages = b"", []
        for heard in messages:
            if party not in self._parties or not _is_whole(heard):
                received = b""
                break
            self._act(party, heard)
        if not received:
            self._leave(party)

    def _act(self, party: Party, heard: dict[str, Any]) -> None:
        kind, state = heard["is"], self._lock.state(party)
        if kind == message.REQUEST and state != WAITING:
            self._request(party, heard)
        elif kind == message.LIST:
            party.send(message.STANDINGS, standings=list(self._standings()))
        elif kind == message.ANSWER:
            self._answer(party, heard)
        elif kind == message.RELEASE and party.is_pausing:
            self._release(party)
        elif state != HOLDING:
            return
        elif kind == message.SUSPEND:
            self._give_back(party.pid)
            party.send(message.RELEASED)
        elif kind == message.RESUME:
            self._try(party)
        elif kind == message.STAY:
            self._is_staying = True
            self._custody.stay()
            party.send(message.RELEASED)

    def _request(self, party: Party, heard: dict[str, Any]) -> None:
        if self._consoles.end(party):
            party.wants_again = heard  # it has noticed sooner than we that its console is gone
            return
        self._consoles.part(party)
        party.label = heard["label"][:_MAX_LABEL_CHARS]
        party.pid = party.pid or heard["pid"]
        party.is_distant = bool(heard.get("is_distant")) or _is_outside(party.pid)
        party.term = str(heard.get("term", ""))
        if not party.id:
            self._count += 1
            party.id = self._count
        party.since_s = time.monotonic()
        party.is_pausing = party.is_asking = True
        if party.is_distant and self._custody.is_gone():
            party.send(message.STRANDED)
        else:
            self._tell(party, self._lock.request(party))

    def _release(self, party: Party) -> None:
        if self._lock.state(party) == HOLDING:
            if self._consoles.end(party):
                party.is_leaving = True  # the terminal is free when the console has left it
                return
            self._tell(party, self._lock.release(party))
        if self._lock.state(party) != HOLDING:
            self._tell(party, self._lock.die(party))
            party.is_pausing = party.is_asking = False
            self._consoles.part(party)
        party.send(message.RELEASED)

    def _answer(self, answerer: Party, heard: dict[str, Any]) -> None:
        """Somebody wants to answer a prompt from another terminal."""
        wanted = heard["id"]
        answerer.label = heard["label"][:_MAX_LABEL_CHARS]
        party = next((one for one in self._parties if wanted == one.id != 0), None)
        if party is None or not party.is_pausing:
            answerer.send(message.REFUSED, why="gone", by="")
        elif not party.is_asking:
            answerer.send(message.REFUSED, why="taken", by=party.answered_by)
        elif answerer is not party and answerer.answers is None and not answerer.is_pausing:
            try:
                self._consoles.connect(party, answerer)
            except OSError:
                self._leave(answerer)
                return
            if self._next is party:
                self._next = None
            self._tell(party, self._lock.die(party))
            if party.is_stopped:
                party.is_stopped = False
                with suppress(OSError):
                    os.kill(party.pid, signal.SIGCONT)

    def _leave(self, party: Party) -> None:
        if party not in self._parties:
            return
        self._parties.discard(party)
        self._selector.unregister(party.connection)
        party.connection.close()
        if party.pidfd is not None:
            self._selector.unregister(party.pidfd)
            os.close(party.pidfd)
        party.is_pausing = party.is_asking = False
        self._consoles.part(party)
        if not self._consoles.end(party):
            if self._lock.state(party) == HOLDING:
                self._custody.forget_typed()
            self._tell(party, self._lock.die(party))

    def _console_ended(self, party: Party) -> None:
        """A console of ours has left the terminal; its party asks again if it isn't done."""
        again, party.wants_again = party.wants_again, None
        self._tell(party, self._lock.die(party))
        if party.is_leaving:
            party.is_pausing = party.is_leaving = False
            party.send(message.RELEASED)
        elif again is not None and party in self._parties:
            self._request(party, again)

    def _again(self, party: Party) -> None:
        """A console's job was suspended: its party's turn goes on when the job does."""
        self._give_back(party.pid)
        self._next, self._next_poll_s = party, _TURN_POLL_S

    def _tell(self, cause: Party, notices: list[Granted[Party] | Placed[Party] | Freed]) -> None:
        """Do what follows from a change of the lock; ``cause`` made it."""
        holder = self._lock.holder
        for notice in notices:
            match notice:
                case Granted(party):
                    self._try(party)
                case Placed(party, place):
                    label = holder.label if holder is not None else ""
                    party.send(message.PLACED, place=place, holder=label)
                case Freed():
                    self._give_back(cause.pid)
        if holder is not None and not any(isinstance(notice, Granted) for notice in notices):
            holder.send(message.QUEUE, waiting=self._waiting())

    def _try(self, party: Party) -> None:
        """Let ``party``, which holds the lock, have the terminal as soon as it can be had.

        A failure (no descriptor, no room on the disk) is its own, whoever has brought its turn about.
        """
        try:
            self._try_to_grant(party)
        except OSError:
            self._leave(party)

    def _try_to_grant(self, party: Party) -> None:
        self._recover()
        if party.is_distant and self._custody.is_gone():
            self._next = None
            party.send(message.STRANDED)
            self._tell(party, self._lock.die(party))
        elif self._is_recovering:
            self._wait_for_terminal(party, _BEFORE)
        elif not self._custody.may_take():
            self._wait_for_terminal(party, _ANOTHER_TREE)
        else:
            self._grant(party)

    def _wait_for_terminal(self, party: Party, holder: str) -> None:
        self._next_poll_s = _JOB_POLL_S if holder == _ANOTHER_JOB else _TURN_POLL_S
        if self._next is not party:
            self._next = party
            party.send(message.PLACED, place=1, holder=holder)

    def _grant(self, party: Party) -> None:
        former = self._custody.take(self._pid_of_job(party), self._root)
        # Who waits for another tree's turn goes on waiting: it hasn't asked for this very moment.
        is_patient = party.is_distant or self._next is party
        if former is None and is_patient and not self._is_orphaned:
            self._wait_for_terminal(party, _ANOTHER_JOB)
            return
        self._next = None
        party.since_s = time.monotonic()
        party.is_stopped = former is None
        if former is None and party.is_distant:
            party.send(message.STRANDED)
            self._tell(party, self._lock.die(party))
        elif former is None:
            party.send(message.BACKGROUND)
        elif party.is_distant:
            if not self._consoles.open(party, self._waiting()):
                party.send(message.STRANDED)
                self._tell(party, self._lock.die(party))
        else:
            party.is_asking = False
            waiting = self._waiting()
            party.send(message.GRANTED, group=self._group, former=former.group, waiting=waiting)

    def _pid_of_job(self, party: Party) -> int:
        """Of the tree's processes in the terminal's session the one that the party is nearest to."""
        return self._root if self._root and _is_outside(party.pid) else party.pid

    def _standings(self) -> Iterator[dict[str, Any]]:
        """The fields of ``standing.Standing``, but for what the asker knows itself."""
        queue, now_s = self._lock.waiting, time.monotonic()
        if self._is_recovering and (pid := self._record.holder()):
            yield {"pid": pid, "label": f"({pid})", "state": HOLDING, **_UNKNOWN}
        for party in sorted(self._parties, key=lambda one: one.id):
            if party.is_pausing:
                yield {
                    "pid": party.pid,
                    "label": party.label,
                    "state": WAITING if party.is_asking else HOLDING,
                    "place": queue.index(party) + 1 if party in queue else 0,
                    "since_s": round(now_s - party.since_s, 3),
                    "by": party.answered_by,
                    "id": party.id,
                }

    def _give_back(self, pid: int) -> None:
        self._next = None
        self._is_staying = False
        if self._custody.former is not None:
            self._last_group = self._custody.former.group
        self._custody.give_back(pid)

    def _waiting(self) -> list[str]:
        return [party.label for party in self._lock.waiting]


def _is_whole(heard: dict[str, Any]) -> bool:
    """Whether a message has what its kind needs."""
    needed = _NEEDED.get(heard["is"], {})
    return all(isinstance(heard.get(name), kind) for name, kind in needed.items())


def _is_outside(pid: int) -> bool:
    """Whether a process isn't in our session; who has ended, and isn't known any more, isn't."""
    try:
        return os.getsid(pid) != os.getsid(0)
    except OSError:
        return True
