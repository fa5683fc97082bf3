"""A thread's claim to the terminal: asks the broker, enters the foreground, and leaves it again.

If the broker dies while we wait, the next one is asked; if it dies while we hold, we restore the
terminal ourselves.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from treetap.debug import message, terminal
from treetap.debug.custody import Custody, Former, Record
from treetap.debug.neighbours import Turn
from treetap.errors import PauseError

if TYPE_CHECKING:
    import socket

    from treetap.debug.place import Place
    from treetap.debug.terminal import Modes

_ANSWER_TIMEOUT_S = 5.0
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

    Attributes:
        fd: Of the terminal, while it is held.
        modes: The terminal's of before, likewise.
        waiting: Labels of those who wait, as far as we know.
        holder: Label of who held it when we came; ``""`` if nobody.
        is_apart: We are in a process group of our own: ctrl-c reaches nobody else.
    """

    def __init__(self, place: Place, label: str) -> None:
        self.fd = -1
        self.modes: Modes = []
        self.waiting: list[str] = []
        self.holder = ""
        self.is_apart = False
        self._place = place
        self._label = label
        self._record = Record(place.path("held"))
        self._turn = Turn(place.directory, os.getsid(0))
        self._connection: socket.socket | None = None
        self._lines = message.Lines()
        self._heard: deque[dict[str, Any]] = deque()
        self._former_group = 0
        self._group = 0
        self._home = 0

    def acquire(self) -> None:
        """Wait for the terminal, and take it.

        Raises:
            PauseError: It can't be had.
        """
        fd = terminal.open_terminal()
        if fd is None:
            raise PauseError(
                f"{self._label} has no terminal for a prompt.",
                "It goes on. Start it from a terminal to hold it.",
                slug="pause-no-terminal",
            )
        self.fd = fd
        try:
            self._ask()
        except BaseException:
            self._close()
            raise

    def release(self) -> None:
        """Give the terminal back, or on; after this it is as it was, or the next holder's."""
        self._step_back()
        try:
            self._send(message.RELEASE)
            self._wait_for(message.RELEASED)
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
            self._send(message.SUSPEND)
            self._wait_for(message.RELEASED)
        except OSError:
            self._restore_alone()
        # In its group we stop, and go on, with it.
        if self._former_group not in (0, os.getpgid(0)):
            with contextlib.suppress(OSError):
                os.killpg(self._former_group, signal.SIGTSTP)
        self._stop(is_sure=True)
        try:
            self._send(message.RESUME)
            self._enter(self._wait_for(message.GRANTED, message.BACKGROUND))
        except OSError:
            self._ask()

    def look(self) -> None:
        """Hear what the broker has said meanwhile."""
        connection = self._connection
        if connection is None:
            return
        connection.setblocking(False)
        try:
            while received := connection.recv(65536):
                self._heard.extend(self._lines.feed(received))
        except (OSError, ValueError):
            pass
        while self._heard:
            self._note(self._heard.popleft())

    def drop(self) -> None:
        """In a forked child: the claim is the parent's."""
        if self._home:
            self._go_home()
        self._close()

    def _ask(self) -> None:
        silent = 0
        while True:
            self._disconnect()
            self._connection = self._place.connect()
            try:
                self._send(message.REQUEST, label=self._label, pid=os.getpid())
                answer = self._wait_for(
                    message.GRANTED, message.BACKGROUND, message.ELSEWHERE, timeout_s=None
                )
                self._enter(answer)
                return
            except OSError as exc:
                silent += 1
                if silent > _MAX_SILENT_BROKERS:
                    raise PauseError(
                        f"The process that shares the terminal out doesn't answer: {exc}.",
                        "The program goes on without a prompt.",
                        slug="pause-no-broker",
                    ) from exc

    def _enter(self, answer: dict[str, Any]) -> None:
        self._join(answer)
        # A ctrl-z in that instant has stopped the job: whoever looks after it has the terminal, or
        # has made ours the foreground again.
        while self.is_apart and terminal.foreground(self.fd) not in (0, self._group):
            self._step_back()
            self._send(message.SUSPEND)
            self._wait_for(message.RELEASED)
            self._send(message.RESUME)
            self._join(self._wait_for(message.GRANTED, message.BACKGROUND))

    def _join(self, answer: dict[str, Any]) -> None:
        ignored = 0
        while answer["is"] == message.BACKGROUND:
            # As any job is stopped that reads from the terminal in the background; but not by
            # SIGTTIN, which is a word for "one worker more" to the masters of web servers.
            before_s = time.monotonic()
            self._stop(is_sure=False)
            ignored = ignored + 1 if time.monotonic() - before_s < 2 * _STOP_S else 0
            if ignored > _MAX_STOPS_IGNORED:
                raise PauseError(
                    f"Another job has the terminal that {self._label} wants.",
                    "It goes on. Start the program in the foreground to hold it.",
                    slug="pause-background",
                )
            self._send(message.RESUME)
            answer = self._wait_for(message.GRANTED, message.BACKGROUND)
        if answer["is"] == message.ELSEWHERE:
            raise PauseError(
                f"{self._label} is in another session than the terminal of its tree.",
                "It goes on. A process that has called setsid() can't have that terminal.",
                slug="pause-other-session",
            )
        self._group, self._former_group = answer["group"], answer["former"]
        self.waiting = list(answer["waiting"])
        self._home = os.getpgid(0)
        try:
            os.setpgid(0, self._group)
            self.is_apart = True
        except OSError:
            # The leader of a session can't leave its group.
            self.is_apart = False
            self._send(message.STAY)
            self._wait_for(message.RELEASED)
        # Read first: whoever closes a file loses his lock on it.
        former = self._record.read()
        self._record.hold()
        self._turn.hold()
        modes = former.modes if former is not None else terminal.modes(self.fd)
        self.modes = terminal.held(modes) if modes else []

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
        if self._record.is_held():
            return  # another one is there already, and has granted the terminal
        former = self._record.read()
        if former is not None and former.by == self._group:
            custody = Custody(self.fd, self._group, self._record, self._turn)
            custody.former = Former(self._former_group, former.modes, self._group)
            custody.give_back(os.getpid())

    def _send(self, kind: str, **content: Any) -> None:
        if self._connection is None:
            raise ConnectionError("no broker")
        self._connection.sendall(message.encode(kind, **content))

    def _wait_for(self, *kinds: str, timeout_s: float | None = _ANSWER_TIMEOUT_S) -> dict[str, Any]:
        """The first message of these kinds; OSError if the broker ends, or is silent."""
        connection = self._connection
        if connection is None:
            raise ConnectionError("no broker")
        connection.settimeout(timeout_s)
        while True:
            while self._heard:
                heard = self._heard.popleft()
                if heard["is"] in kinds:
                    return heard
                self._note(heard)
            received = connection.recv(65536)
            if not received:
                raise ConnectionError("it has ended")
            self._heard.extend(self._lines.feed(received))

    def _note(self, heard: dict[str, Any]) -> None:
        if heard["is"] == message.PLACED:
            self.holder = heard["holder"]
        elif heard["is"] == message.QUEUE:
            self.waiting = list(heard["waiting"])

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._lines = message.Lines()
        self._heard.clear()
        if connection is not None:
            connection.close()

    def _close(self) -> None:
        self._disconnect()
        self._record.let_go()
        self._turn.give()
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)
