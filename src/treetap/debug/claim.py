"""A thread's claim to a prompt: asks the broker, enters the foreground, and leaves it again.

Who can't have the terminal itself, or is answered from another one, has a console somewhere instead
(``remote``). If the broker dies while we wait, the next one is asked; if it dies while we hold, we
restore the terminal ourselves.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from treetap.debug import kinship, message, terminal
from treetap.debug.channel import Channel
from treetap.debug.limits import is_from_handler
from treetap.debug.neighbours import Turn
from treetap.debug.own_terminal import OwnTerminal
from treetap.debug.record import Former, Record
from treetap.debug.remote import Remote
from treetap.debug.terminal import Evicted
from treetap.errors import PauseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from treetap.debug.patience import Patience
    from treetap.debug.place import Place
    from treetap.debug.terminal import Modes

#: What ends a wait.
_TURNS = (message.GRANTED, message.BACKGROUND, message.ANSWERED)
#: A broker that ends before it answers is replaced; not for ever.
_MAX_SILENT_BROKERS = 5
#: A thread that isn't the main one runs on for a moment when its process is stopped.
_STOP_S = 0.05
#: A stop signal has no effect on a group that no shell looks after: then the job is no shell's.
_MAX_STOPS_IGNORED = 20


class Claim:
    """Args:
    place: Of the broker.
    label: Of this process, for others to read.
    press: Called for a ctrl-c at a console while no line is asked for, in a thread of ours.
    patience: How long to wait.

    Attributes:
        fd: Of the terminal, while it is held.
        remote: The console that there is instead.
        modes: The terminal's of before, likewise.
        waiting: Labels of those who wait, as far as we know.
        holder: Label of who held it when we came; ``""`` if nobody.
        is_apart: We are in a process group of our own: ctrl-c reaches nobody else.
    """

    def __init__(
        self, place: Place, label: str, press: Callable[[], None], patience: Patience
    ) -> None:
        self.fd = -1
        self.remote: Remote | None = None
        self.modes: Modes = []
        self.waiting: list[str] = []
        self.holder = ""
        self.is_apart = False
        self._is_evicted = False
        self._place = place
        self._label = label
        self._press = press
        self._patience = patience
        self._record = Record(place.path("held"))
        self._turn = Turn(place.directory, os.getsid(0))
        self._channel = Channel(place, self._note)
        self._former_group = 0
        self._group = 0
        self._home = 0

    def acquire(self) -> None:
        """Wait for the terminal, and take it.

        Raises:
            PauseError: It can't be had.
        """
        fd = terminal.open_terminal()
        has_terminal = fd is not None
        # The leader of a session can't leave its group, and so not enter the broker's; who was
        # evicted is of no job any more.
        if fd is not None and (os.getsid(0) == os.getpid() or self._is_evicted):
            os.close(fd)
            fd = None
        self.fd = -1 if fd is None else fd
        self._patience.begin()
        try:
            if not has_terminal and not kinship.terminals_process(self._place.root):
                self._patience.check_sense()  # no broker is started for nobody
            self._ask()
        except BaseException:
            self._close()
            raise

    @property
    def home(self) -> int:
        """The process group of before, while we are in another."""
        return self._home if self.is_apart else 0

    def visit_home(self) -> bool:
        """Go back there for a moment, if nobody else is in it; whether ``come_back`` is due.

        A child that is made now could not enter a group that isn't. The foreground comes along, so
        that no ctrl-c is lost meanwhile.
        """
        home = self.home
        if home != os.getpid() or kinship.is_group_there(home):
            return False
        is_in_front = terminal.foreground(self.fd) == self._group
        try:
            os.setpgid(0, 0)
        except OSError:
            return False
        if is_in_front:
            terminal.set_foreground(self.fd, home)
        return True

    def come_back(self) -> None:
        """From there."""
        if terminal.foreground(self.fd) == self._home:
            terminal.set_foreground(self.fd, self._group)
        with contextlib.suppress(OSError):  # the broker has died: then we are at home
            os.setpgid(0, self._group)

    @property
    def is_held(self) -> bool:
        return self.fd >= 0 or self.remote is not None

    def acquire_again(self) -> None:
        """The console is gone, or the terminal: wait anew, as one who comes.

        The connection stays, so that we are never missed among those who wait.

        Raises:
            PauseError: There is nothing, and nobody, to wait for.
        """
        self._let_go()
        self.acquire()

    def is_behind(self) -> bool:
        """Whether another job has the terminal now, as when a shell has stopped ours.

        Raises:
            Evicted: And will keep it: ours has ended.
        """
        if self.fd < 0 or not self.is_apart:
            return False
        if terminal.foreground(self.fd) in (0, self._group):
            return False
        self.look()
        if self._is_evicted:
            self._undo_modes()
            raise Evicted
        return True

    def _undo_modes(self) -> None:
        """We may have set ours in the instant after those of before had come back."""
        now = terminal.modes(self.fd)
        if now is None or not self.modes:
            return
        ours = [
            terminal.editing(self.modes),
            terminal.reading(self.modes),
            *(terminal.running(self.modes, is_quiet=quiet) for quiet in (True, False)),
        ]
        if terminal.to_plain(now) in map(terminal.to_plain, ours):
            terminal.set_modes(self.fd, self.modes)

    def release(self) -> None:
        """Give the terminal back, or on; after this it is as it was, or the next holder's."""
        if self.remote is not None:
            self.remote.close()
        else:
            self._step_back()
        try:
            self._channel.send(message.RELEASE)
            self._channel.wait_for(message.RELEASED)
        except OSError:
            self._restore_alone()
        finally:
            self._close()

    def suspend(self) -> None:
        """Stop the whole job, as ctrl-z does; return when it goes on, in the foreground.

        Raises:
            PauseError: It goes on in the background, where nothing stops it.
        """
        self._step_back()
        try:
            self._channel.send(message.SUSPEND)
            self._channel.wait_for(message.RELEASED)
        except OSError:
            self._restore_alone()
        # Else it goes on at once, but for those who are late: they stay stopped.
        if kinship.is_looked_after(self._former_group):
            # In its group we stop, and go on, with it.
            if self._former_group not in (0, os.getpgid(0)):
                with contextlib.suppress(OSError):
                    os.killpg(self._former_group, signal.SIGTSTP)
            self._stop(is_sure=True)
        try:
            self._channel.send(message.RESUME)
            self._enter(self._channel.wait_for(*_TURNS))
        except OSError:
            self._disconnect()
            self._ask()

    def look(self) -> None:
        """Hear what the broker has said meanwhile."""
        self._channel.look()

    def drop(self) -> None:
        """In a forked child: the claim is the parent's."""
        remote, self.remote = self.remote, None
        if remote is not None:
            remote.drop()
        self._close()

    def _ask(self) -> None:
        silent = 0
        while True:
            if self.fd >= 0 and terminal.modes(self.fd) is None:
                os.close(self.fd)  # closed while we waited for it
                self.fd = -1
            self._channel.open()
            try:
                self._channel.send(
                    message.REQUEST,
                    label=self._label,
                    pid=os.getpid(),
                    is_distant=self.fd < 0,
                    term=os.environ.get("TERM", ""),
                )
                self._enter(self._wait_for_turn())
                return
            except OSError as exc:
                if is_from_handler(exc):
                    raise
                self._disconnect()
                silent += 1
                if silent > _MAX_SILENT_BROKERS:
                    raise PauseError(
                        f"The process that shares the terminal out doesn't answer: {exc}.",
                        "The program goes on without a prompt.",
                        slug="pause-no-broker",
                    ) from exc

    def _wait_for_turn(self) -> dict[str, Any]:
        while True:
            answer = self._channel.wait_for(
                *_TURNS, message.STRANDED, meanwhile=self._see_that_it_makes_sense
            )
            if answer["is"] != message.STRANDED:
                return answer
            self._patience.check_sense(is_evicted=self._is_evicted)
            self._patience.say_that_it_waits()

    def _see_that_it_makes_sense(self) -> None:
        self._patience.check_time()
        if self.fd >= 0 and terminal.modes(self.fd) is None:
            raise ConnectionError("the terminal is closed")

    def _enter(self, answer: dict[str, Any]) -> None:
        self._join(answer)
        # A ctrl-z in that instant has stopped the job: whoever looks after it has the terminal, or
        # has made ours the foreground again.
        while self.is_apart and terminal.foreground(self.fd) not in (0, self._group):
            self._step_back()
            self._channel.send(message.SUSPEND)
            self._channel.wait_for(message.RELEASED)
            self._channel.send(message.RESUME)
            self._join(self._channel.wait_for(*_TURNS))

    def _join(self, answer: dict[str, Any]) -> None:
        ignored = 0
        while answer["is"] == message.BACKGROUND:
            if self._channel.has_heard(message.ANSWERED):
                answer = self._channel.wait_for(
                    message.ANSWERED
                )  # while our job was stopped already
                break
            # As any job is stopped that reads from the terminal in the background; but not by
            # SIGTTIN, which is a word for "one worker more" to the masters of web servers.
            self._patience.say_that_it_stops()
            before_s = time.monotonic()
            self._stop(is_sure=False)
            ignored = ignored + 1 if time.monotonic() - before_s < 2 * _STOP_S else 0
            if ignored > _MAX_STOPS_IGNORED:
                raise PauseError(
                    f"Another job has the terminal that {self._label} wants.",
                    "It goes on. Start the program in the foreground to hold it.",
                    slug="pause-background",
                )
            self._channel.send(message.RESUME)
            answer = self._channel.wait_for(*_TURNS)
        if answer["is"] == message.ANSWERED:
            self._meet(answer["waiting"])
            return
        self._group, self._former_group = answer["group"], answer["former"]
        self.waiting = list(answer["waiting"])
        self._home = os.getpgid(0)
        self.is_apart = True  # first: whatever is raised from here on, we go home
        try:
            os.setpgid(0, self._group)
        except OSError:
            # The leader of a session can't leave its group.
            self.is_apart = False
            self._channel.send(message.STAY)
            self._channel.wait_for(message.RELEASED)
        # Read first: whoever closes a file loses his lock on it.
        former = self._record.read()
        self._record.hold()
        self._turn.hold()
        modes = former.modes if former is not None else terminal.modes(self.fd)
        self.modes = terminal.held(modes) if modes else []

    def _meet(self, waiting: list[str]) -> None:
        """Somebody answers, at the other end of what came with the message."""
        channel = socket.socket(fileno=self._channel.take_fd())
        self.is_apart = False
        self.waiting = list(waiting)
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        self.remote = Remote(channel, self._press)

    def _step_back(self) -> None:
        # The keys get their meaning back when none of us is in the foreground: a ctrl-z would stop
        # this process alone, and no shell would know.
        self._go_home()
        self._record.let_go()
        self._turn.give()

    def _go_home(self) -> None:
        home, self._home = self._home, 0
        if not self.is_apart or not home:
            return
        try:
            os.setpgid(0, home)
        except OSError:
            # The last of that group has ended meanwhile.
            with contextlib.suppress(OSError):
                os.setpgid(0, 0)

    def _stop(self, *, is_sure: bool) -> None:
        os.killpg(os.getpgid(0), signal.SIGTSTP)
        if threading.current_thread() is not threading.main_thread() or not is_sure:
            time.sleep(_STOP_S)

    def _restore_alone(self) -> None:
        """The broker is dead."""
        if self.remote is not None:
            return  # its console does that
        if self._record.is_held():
            return  # another one is there already, and has granted the terminal
        former = self._record.read()
        if former is not None and former.by == self._group:
            custody = OwnTerminal(self.fd, self._group, self._record, self._turn)
            custody.former = Former(self._former_group, former.modes, self._group)
            custody.give_back(os.getpid())

    def _note(self, heard: dict[str, Any]) -> None:
        if heard["is"] == message.PLACED:
            self.holder = heard["holder"]
        elif heard["is"] == message.EVICTED:
            self._is_evicted = True
        elif heard["is"] == message.QUEUE:
            self.waiting = list(heard["waiting"])

    def _disconnect(self) -> None:
        self._step_back()
        self._channel.close()

    def _close(self) -> None:
        self._let_go()
        self._disconnect()

    def _let_go(self) -> None:
        self._step_back()
        remote, self.remote = self.remote, None
        if remote is not None:
            remote.close()
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)
