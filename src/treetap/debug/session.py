"""One thread's turn at the terminal: it waits, talks, steps, and is over; and what ctrl-c does in each.

=========  ==================================  ==================================================
mode       what goes on                        SIGINT
=========  ==================================  ==================================================
waiting    another one holds the terminal      by hand: kept back until the turn is over
reading    the prompt waits for a line         by hand: likewise (the key sends none)
command    one of the prompt's commands runs   interrupts the command
stepping   the program runs, to a next stop    brings the prompt back where the program is
busy       our own code, in between            taken up by the next prompt, as if pressed there
=========  ==================================  ==================================================
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from treetap.config.settings import resolve
from treetap.debug import kinship, task, terminal
from treetap.debug.claim import Claim
from treetap.debug.colour import HEADER, painted
from treetap.debug.commands import Commands
from treetap.debug.editing.history import History
from treetap.debug.entry import say
from treetap.debug.heartbeat import Heartbeat
from treetap.debug.keyboard import Keyboard, Screen
from treetap.debug.naming import own_name
from treetap.debug.offspring import offspring
from treetap.debug.patience import Patience
from treetap.debug.place import own_place
from treetap.debug.shield import shield

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from treetap.debug.editing.editor import Complete

OVER = "over"
WAITING = "waiting"
READING = "reading"
COMMAND = "command"
STEPPING = "stepping"
BUSY = "busy"


class Session:
    """A thread's turns, one after another; each begins with ``open`` and ends with ``close``.

    Raises:
        PauseError: The terminal can't be had at all.
    """

    def __init__(self) -> None:
        self._place = own_place()
        self.label = f"{own_name()} ({os.getpid()})"
        self.mode = OVER
        #: What ctrl-c does in a step: set by the prompt.
        self.on_interrupt: Callable[[FrameType | None], None] | None = None
        #: What tab does: likewise.
        self.complete: Complete | None = None
        #: Shows where the prompt is, to who comes to it on another terminal.
        self.show_place: Callable[[], None] | None = None
        self._thread = threading.current_thread()
        #: Who reads the lines: another one while our own is shown from there.
        self.talker = self._thread
        self._was_pressed = False
        self._is_visiting = False
        self._heartbeat = Heartbeat()
        self._outer = BUSY
        settings = resolve()
        patience = Patience(settings.pause_timeout_s, settings.home, self.label, os.getpid(), say)
        self._claim = Claim(self._place, self.label, self._press, patience)
        self.screen = Screen(self._claim)
        self.keyboard = Keyboard(
            self._claim,
            self.screen,
            before=self._before_line,
            after=self._after_line,
            suspend=self._suspend,
            again=self._wait_again,
            complete=self._complete,
            history=History(self._place.path("history")),
        )

    def open(self, title: str) -> None:
        """Wait for the terminal if it isn't ours yet, and say who is there.

        Raises:
            PauseError: It can't be had.
        """
        if self.mode != OVER:
            self.mode = BUSY
            return
        follow_forks(self)
        shield.enter(self)
        try:
            self.mode = WAITING
            self._heartbeat.begin()
            self._claim.acquire()
            offspring.enter(self)
            self.mode = BUSY
            self._set_running_modes()
            self.announce(title)
        except BaseException:
            self.close()
            raise

    def announce(self, title: str = "") -> None:
        """Say who is at the prompt."""
        header = self._header(title)
        shown = painted(header, HEADER) if self.screen.is_coloured else header
        self.screen.write(f"\n{shown}\n")

    def close(self) -> None:
        """Give the terminal back. Idempotent."""
        if self.mode == OVER:
            return
        self.mode = BUSY
        offspring.leave()
        try:
            if self._claim.is_held:
                self._claim.release()
        finally:
            self.mode = OVER
            self._was_pressed = False
            self._heartbeat.end()
            _sessions.discard(self)
            shield.leave(self)

    def drop(self) -> None:
        """In a forked child: the turn is the parent's."""
        offspring.leave()
        self._heartbeat.drop()
        self._claim.drop()
        self.mode = OVER

    @property
    def is_open(self) -> bool:
        return self.mode != OVER

    @property
    def thread_id(self) -> int:
        return self._thread.ident or 0

    @property
    def is_own_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def name_holder(self) -> str:
        return self._claim.holder if self.mode == WAITING and self._claim.holder else self.label

    def group_of_children(self) -> int:
        """The program's; but what a command executes may read from the terminal."""
        is_command = self.mode == COMMAND and threading.current_thread() is self.talker
        return 0 if is_command else self._claim.home

    def visit_home(self) -> bool:
        # A prompt in the middle of this would be in the wrong group.
        self._is_visiting = True
        self._is_visiting = self._claim.visit_home()
        if not self._is_visiting:
            self._take_up_press()
        return self._is_visiting

    def come_back(self) -> None:
        self._claim.come_back()
        self._is_visiting = False
        self._take_up_press()

    def _take_up_press(self) -> None:
        if self.mode == STEPPING and self.take_press():
            signal.raise_signal(signal.SIGINT)

    def take_interrupt(self, frame: FrameType | None) -> bool:
        """SIGINT has come; in the main thread. Whether it was ours to act on."""
        if self.mode in (OVER, WAITING, READING):
            return False
        if self._is_visiting:
            self._was_pressed = True
        elif self.mode == STEPPING and self.on_interrupt is not None:
            self.on_interrupt(frame)
        elif self.mode == COMMAND:
            if threading.current_thread() is self.talker:
                raise KeyboardInterrupt
            _interrupt(self.talker)
        else:
            self._was_pressed = True
        return True

    def take_press(self) -> bool:
        """Whether ctrl-c was pressed while our own code ran; told once."""
        was_pressed, self._was_pressed = self._was_pressed, False
        return was_pressed

    def _before_line(self) -> None:
        # The keys send no signal any more; one that has just been sent is handled by now.
        if self.take_press():
            raise KeyboardInterrupt
        self._outer, self.mode = self.mode, READING

    def _after_line(self) -> None:
        self.mode = self._outer
        self._set_running_modes()

    def _complete(self, line: str, begin: int, end: int) -> list[str]:
        """It may run code of the program's, so that ctrl-c works as in a command."""
        before, self.mode = self.mode, COMMAND
        try:
            return self.complete(line, begin, end) if self.complete is not None else []
        except (Exception, KeyboardInterrupt, SystemExit):  # noqa: BLE001 - no candidates then
            return []
        finally:
            self.mode = before

    def _press(self) -> None:
        """ctrl-c at a console, while no line is asked for; in a thread that only listens."""
        main = threading.main_thread().ident
        if self.mode in (COMMAND, STEPPING, BUSY) and shield.is_on and main is not None:
            signal.pthread_kill(main, signal.SIGINT)

    def _wait_again(self) -> None:
        """The console is gone, and the prompt isn't answered: wait as at first.

        Raises:
            PauseError: There is nobody to wait for.
        """
        before, self.mode = self.mode, WAITING
        self._claim.acquire_again()
        self.mode = before
        self._set_running_modes()
        self.announce()
        if self.show_place is not None:
            self.show_place()

    def _set_running_modes(self) -> None:
        if self._claim.remote is not None or terminal.is_behind(self._claim.fd):
            return
        is_quiet = not (self._claim.is_apart and shield.is_on)
        terminal.set_modes(self._claim.fd, terminal.running(self._claim.modes, is_quiet=is_quiet))

    def _suspend(self) -> None:
        self._claim.suspend()
        self._set_running_modes()
        self.announce()

    def _header(self, title: str) -> str:
        parts = [self.label]
        depth = kinship.own_depth(self._place.root)
        if depth:
            parts.append(f"depth {depth}")
        if self._thread is not threading.main_thread():
            parts.append(f"thread {self._thread.name}")
        name = task.task_name(task.current_task())
        if name:
            parts.append(f"task {name}")
        if title:
            parts.append(title)
        self._claim.look()
        waiting = self._claim.waiting
        queue = f"; {len(waiting)} more waiting: {', '.join(waiting)}" if waiting else ""
        return f"treetap: {', '.join(parts)}{queue}"


def _interrupt(thread: threading.Thread) -> None:
    """Raise KeyboardInterrupt in another thread, as soon as it runs Python again."""
    try:
        import ctypes
    except ImportError:
        return
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident or 0), ctypes.py_object(KeyboardInterrupt)
    )


class _Sessions(set[Session]):
    """Those of this process that are open: a forked child must leave them to its parent."""

    is_registered = False

    def __init__(self) -> None:
        super().__init__()
        self._visitors: list[Session] = []

    def before_fork(self) -> None:
        self._visitors = [session for session in list(self) if session.visit_home()]

    def after_fork(self) -> None:
        visitors, self._visitors = self._visitors, []
        for session in visitors:
            session.come_back()

    def leave_to_parent(self) -> None:
        # A prompt's tracer is the parent's; that of coverage, or of an editor, stays.
        if isinstance(getattr(sys.gettrace(), "__self__", None), Commands):
            sys.settrace(None)
        for session in list(self):
            session.drop()
        self.clear()
        shield.start_over_in_child()


_sessions = _Sessions()


def is_any_open() -> bool:
    """Whether a thread of this process holds the terminal, or waits for it."""
    return bool(_sessions)


def follow_forks(session: Session) -> None:
    """Let children that are forked from now on leave ``session`` to this process."""
    _sessions.add(session)
    if not _sessions.is_registered:
        _sessions.is_registered = True
        os.register_at_fork(
            before=_sessions.before_fork,
            after_in_parent=_sessions.after_fork,
            after_in_child=_sessions.leave_to_parent,
        )
