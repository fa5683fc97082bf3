"""The spawner: the one process of a tree that starts its actors, waits for them, and ends them.

It is a clean interpreter with a single thread, started by the tree's root. It is the parent, to the
kernel, of every actor at any depth: so one place waits and kills, which works as well when an actor is
stuck; no pid is signalled that might be another's by now; and nothing of ours waits for processes
in the user's own. ``family`` has who is whose child for the user. What it does on its own account:

* An actor whose parent has died is told to end, and killed if it hasn't within ``ORPHAN_GRACE_S``,
  with all that is below it. When the root has died the whole tree ends, and then the spawner.
* Nobody who is at a prompt is ended by that, nor by a parent, before it has continued (``guard``).
* Should it die itself, the kernel kills every actor (``kernel.die_with``).
* A root that was told to end by a signal, and is too slow about it, is ended by force.

It ignores what a terminal or a service manager sends to everybody: the root decides what that means.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time

from treetap.actor import kernel
from treetap.actor.control import close_all
from treetap.actor.family import Family, Member
from treetap.actor.fork import Birth, Born, Forge
from treetap.actor.guard import POLL_S, Deferral, Guard
from treetap.actor.line import Line
from treetap.actor.rehearsal import Preloading
from treetap.actor.searching import Switchboard
from treetap.actor.strays import Strays

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: A tree is gone within a second of its parent's death, so that this is less than that.
ORPHAN_GRACE_S = 0.5
#: A tree whose root was told to end by a signal is gone within two seconds.
ROOT_GRACE_S = 1.4
#: Between the last signal that a root may act upon and the one that it can't.
_LAST_GRACE_S = 0.2
#: How often a root is looked for where there is no descriptor of a process.
_ROOT_POLL_S = 0.5

_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)


class Spawner:
    """The loop.

    Args:
        line: To the root.
        alarm: Says where the root is, when a signal comes that is to end it.
        forge: What starts processes.
        begin: The root's first message.
    """

    def __init__(
        self, line: Line, alarm: socket.socket, forge: Forge, begin: dict[str, Any]
    ) -> None:
        self._root_line = line
        self._alarm = alarm
        self._forge = forge
        self._preloading = Preloading()
        self._family = Family(line.member)
        self._lines = {line.member.uid: line}
        self._switchboard = Switchboard(self._family, self._lines, str(begin["socket"]))
        self._guard = Guard(
            self._family, str(begin["home"]), str(begin["prompts"]), float(begin["max_hold_s"])
        )
        self._deferral = Deferral(self._guard, self._tell_parent)
        self._root_end_s: float | None = None
        self._is_root_warned = False
        self._root_was_at = b""
        self._is_ending = False
        self._strays = Strays(ORPHAN_GRACE_S, self._guard.is_program_held)
        self._wake_reader, self._wake_writer = os.pipe()
        self._root_descriptor = kernel.process_descriptor(line.member.pid)

    def run(self) -> Birth | None:
        """Work until the tree is gone; in a process that was forked, what it is to become."""
        os.set_blocking(self._wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        try:
            self._serve(self._root_line)  # what came together with its first message
            while not self._is_done():
                self._turn()
        except Born as born:
            self._detach()
            return born.birth
        self._switchboard.close()
        return None

    def _turn(self) -> None:
        """Wait for something, and do what is to be done about it."""
        poll = select.poll()
        for line in self._lines.values():
            poll.register(line.sock, select.POLLIN | (select.POLLOUT if line.outbox else 0))
        for descriptor in (self._wake_reader, self._alarm.fileno(), self._root_descriptor):
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        for descriptor, events in self._switchboard.wanted() + self._preloading.wanted():
            poll.register(descriptor, events)
        ready = dict(poll.poll(self._timeout_ms()))
        if self._wake_reader in ready:
            self._drain(self._wake_reader)
        # First who has ended: a message of its own, or of its children, says less.
        self._reap()
        if self._alarm.fileno() in ready:
            self._hear_alarm()
        for line in list(self._lines.values()):
            if line.sock.fileno() in ready:
                self._serve(line)
        self._switchboard.serve(ready)
        for order, failure in self._preloading.serve(ready):
            self._spawn(*order, failure=failure)
        if self._root_descriptor in ready or os.getppid() != self._family.root.pid:
            self._root_descriptor = -1  # it would be readable for ever
            self._end_all()
        self._keep_time()
        for line in list(self._lines.values()):
            line.flush()

    def _timeout_ms(self) -> int | None:
        due = [m.kill_at_s for m in self._family.living() if m.kill_at_s is not None]
        due += self._strays.deadlines()
        due += self._switchboard.deadlines()
        if self._deferral:
            due.append(time.monotonic() + POLL_S)
        if self._root_end_s is not None:
            due.append(self._root_end_s)
        if self._root_descriptor < 0:
            due.append(time.monotonic() + _ROOT_POLL_S)
        if not due:
            return None
        return max(0, int((min(due) - time.monotonic()) * 1000) + 1)

    def _is_done(self) -> bool:
        return self._is_ending and not self._family.living() and not self._strays

    @staticmethod
    def _drain(descriptor: int) -> None:
        try:
            os.read(descriptor, 4096)
        except BlockingIOError:
            pass

    # What the members say.

    def _serve(self, line: Line) -> None:
        messages = line.receive()
        if messages is None:
            self._lose(line)
            return
        for fields, descriptors in messages:
            try:
                self._act(line, fields, descriptors)
            except (KeyError, TypeError, ValueError):
                # It talks nonsense; whatever it is, it is no actor of ours any more.
                close_all(descriptors)
                self._lose(line)
                return

    def _act(self, line: Line, fields: dict[str, Any], descriptors: list[int]) -> None:
        match fields["op"]:
            case "spawn":
                if not self._preloading.hold(line.member, fields, descriptors):
                    self._spawn(line.member, fields, descriptors)
            case "warm":
                self._forge.warm_up()
            case "ask":
                self._answer(line, fields)
            case "kill":
                child = self._child(line, fields)
                if child is not None:
                    child.kill_at_s = time.monotonic()  # at the end of this turn
            case "end":
                child = self._child(line, fields)
                if child is not None:
                    grace_s = float(fields["grace_s"]) * (1 + child.height())
                    child.kill_by(time.monotonic() + grace_s)
            case "find" | "wait" | "quit":
                self._switchboard.act(line, fields, descriptors)
            case "up":
                line.member.is_up = True
                self._switchboard.connect_waiting()
            case "fail":
                line.member.text = str(fields["text"])
            case _:
                raise ValueError(fields["op"])

    def _answer(self, line: Line, fields: dict[str, Any]) -> None:
        child = self._family.with_uid(str(fields["uid"]))
        if child is not None and child.parent is line.member:
            self._deferral.ask(child)
        else:
            line.put({"op": "free", "uid": fields["uid"]})

    def _child(self, line: Line, fields: dict[str, Any]) -> Member | None:
        """Of a request about a child; one's own only, and not one that is gone already."""
        uid = str(fields["uid"])
        if self._preloading.forget(uid):
            line.put({"op": "refused", "uid": uid, "text": "It was cancelled."})
        child = self._family.with_uid(uid)
        return child if child is not None and child.parent is line.member else None

    def _spawn(
        self, parent: Member, fields: dict[str, Any], descriptors: list[int], failure: str = ""
    ) -> None:
        line = self._lines.get(parent.uid)
        if line is None or self._is_ending or parent.kill_at_s is not None:
            failure = "The tree is being ended, and doesn't grow."
        started = None
        try:
            if not failure:
                started = self._forge.fork(fields, descriptors)
        except OSError as exc:
            failure = f"{exc}."
        close_all(descriptors)
        if line is None:
            return
        if started is None:
            line.put({"op": "refused", "uid": fields["uid"], "text": failure})
            return
        pid, sock, inode = started
        member = self._family.add(str(fields["uid"]), str(fields["name"]), pid, parent)
        member.control_inode = inode
        own = self._lines[member.uid] = Line(sock, member)
        if fields["method"] == "fresh":
            own.put({**fields, "op": "birth"})
        line.put({"op": "spawned", "uid": member.uid, "pid": pid})

    # Endings.

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._preloading.note_end(pid, status)
            code = os.waitstatus_to_exitcode(status)
            line = self._line_of(pid)
            if line is not None:
                # Its last words may be why it ended.
                self._serve(line)
            member = self._family.end(pid, code)
            if member is not None:
                self._note_end(member)
            else:
                self._strays.note_end(pid, self._other_children())

    def _line_of(self, pid: int) -> Line | None:
        return next((x for x in self._lines.values() if x.member.pid == pid), None)

    def _note_end(self, member: Member) -> None:
        line = self._lines.pop(member.uid, None)
        if line is not None:
            line.close()
        self._switchboard.forget(member)
        self._preloading.forget_orders_of(member)
        self._tell_parent(
            member,
            {"op": "exited", "uid": member.uid, "status": member.status, "text": member.text},
        )
        if (member.status or 0) < 0:
            self._strays.end_those_of(member, self._other_children())
        for child in member.children.values():
            self._orphan(child)
        for each in self._family.bury(member):
            self._deferral.forget(each)
            self._tell_parent(each, {"op": "gone", "uid": each.uid})
        if member.children:
            self._deferral.is_due(member)  # for who waits for the end of all that it leaves

    def _tell_parent(self, member: Member, fields: dict[str, Any]) -> None:
        assert member.parent is not None
        line = self._lines.get(member.parent.uid)
        if line is not None:
            line.put(fields)

    def _orphan(self, member: Member) -> None:
        """Its parent has died: it is told, and the rest is a matter of time."""
        if member.is_alive and self._deferral.is_due(member):
            member.is_orphan = member.is_postponed = True
            member.kill_at_s = time.monotonic()
            return
        member.is_orphan = False
        if member.is_alive:
            self._signal(member.pid, signal.SIGTERM)
        member.kill_by(time.monotonic() + ORPHAN_GRACE_S)

    def _lose(self, line: Line) -> None:
        """A control socket has closed: its process is ending, or can't be held to account."""
        member = line.member
        del self._lines[member.uid]
        line.close()
        self._switchboard.forget(member)
        if member is self._family.root:
            self._end_all()
        elif member.is_alive:
            member.kill_by(time.monotonic() + ORPHAN_GRACE_S)

    def _end_all(self) -> None:
        if self._is_ending:
            return
        self._is_ending = self._guard.is_off = True
        self._preloading.end()
        for child in self._family.root.children.values():
            self._orphan(child)

    def _other_children(self) -> set[int]:
        """Children that are no strays."""
        return {each.pid for each in self._family.living()} | self._preloading.pids()

    def _hear_alarm(self) -> None:
        try:
            heard = self._alarm.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            heard = b""
        if not heard:
            # The root closes it when there is nothing to be alarmed about; its line says more.
            self._alarm.close()
        elif self._root_end_s is None:
            self._root_was_at = heard
            self._guard.is_off = True
            self._root_end_s = time.monotonic() + ROOT_GRACE_S

    def _keep_time(self) -> None:
        now_s = time.monotonic()
        for each in self._family.living():
            if each.kill_at_s is not None and each.kill_at_s <= now_s:
                self._end_now(each, now_s)
        self._deferral.keep_time()
        self._strays.keep_time(now_s)
        if self._root_end_s is not None and self._root_end_s <= now_s:
            self._force_root(now_s)

    def _end_now(self, member: Member, now_s: float) -> None:
        """The time of ``member`` is over, unless it is held; that gives it a new one."""
        if self._deferral.is_due(member):
            member.is_postponed = True
            member.kill_at_s = now_s + POLL_S
        elif member.is_postponed:
            member.is_postponed = False
            member.kill_at_s = now_s + ORPHAN_GRACE_S * (1 + member.height())
            if member.is_orphan:
                self._orphan(member)
        else:
            self._signal(member.pid, signal.SIGKILL)
            member.kill_at_s = now_s + 1.0  # not in a loop, should the kernel be slow about it

    def _force_root(self, now_s: float) -> None:
        """The root was told to end and hasn't: end everything below it, and then it."""
        root = self._family.root
        root.kill_by(now_s)
        for child in self._family.living():
            self._signal(child.pid, signal.SIGKILL)
        if not self._is_root_warned and self._root_was_at.strip():
            sys.stderr.write(
                f"treetap: {root.name} (pid {root.pid}) didn't end within {ROOT_GRACE_S} s of being "
                f"told to, and is ended by force. It was here:\n"
                f"{self._root_was_at.decode('utf-8', 'replace')}"
            )
            sys.stderr.flush()
        if os.getppid() == root.pid:
            self._signal(root.pid, signal.SIGKILL if self._is_root_warned else signal.SIGTERM)
        self._root_end_s = now_s + _LAST_GRACE_S if not self._is_root_warned else None
        self._is_root_warned = True

    @staticmethod
    def _signal(pid: int, number: signal.Signals) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    # The other side of a fork.

    def _detach(self) -> None:
        """In a forked child: leave the spawner's sockets alone; their descriptors are closed
        all at once, and no object of the spawner's may close what has the same number later.
        """
        for line in self._lines.values():
            line.sock.detach()
        if self._alarm.fileno() >= 0:
            self._alarm.detach()
        self._switchboard.detach()


def _first_message(line: Line) -> dict[str, Any] | None:
    while True:
        select.select([line.sock], [], [])
        messages = line.receive()
        if messages is None:
            return None
        if messages:
            # The root waits for nothing, so that there may be more of them.
            line.unread(messages[1:])
            return messages[0][0]


def main(control: int, alarm: int) -> None:
    """The whole life of a spawner; in an actor that it forks, that actor's.

    Args:
        control: Descriptor of the socket to the root, whose first message is ``begin``.
        alarm: Descriptor of the alarm.
    """
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    kernel.take_in_orphans()
    root_sock, alarm_sock = socket.socket(fileno=control), socket.socket(fileno=alarm)
    for sock in (root_sock, alarm_sock):
        sock.set_inheritable(False)
        sock.setblocking(False)
    root = Member("", "", os.getppid(), None)
    line = Line(root_sock, root)
    begin = _first_message(line)
    if begin is None:
        return
    root.uid, root.name, root.is_up = str(begin["uid"]), str(begin["name"]), True
    spawner = Spawner(line, alarm_sock, Forge(begin), begin)
    birth = spawner.run()
    if birth is None:
        os._exit(0)
    del spawner, line
    from treetap.actor import child

    child.begin(birth)
