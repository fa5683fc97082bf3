"""The prompt: pdb on the terminal, for as long as a session has it.

pdb does the debugging; what is changed is where it stops being in charge of the terminal: it opens
a session before it talks, keeps it while it steps, and closes it when the program is to run on.
Its own handling of SIGINT is off (``nosigint``): the session has one.
"""

from __future__ import annotations

import bdb
import inspect
import signal
import sys
import threading
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

from treetap.debug import frames, task
from treetap.debug.commands import TAKES_EXCEPTIONS, Commands
from treetap.debug.entry import lend
from treetap.debug.limits import is_from_handler, suspend_tests_limits
from treetap.debug.session import BUSY, COMMAND, STEPPING, Session
from treetap.debug.shield import shield
from treetap.debug.step import Step
from treetap.debug.terminal import HungUp
from treetap.errors import PauseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from treetap.errors import TreetapError

    Say = Callable[[TreetapError], None]

_OURS = ("treetap.debug.*",)
#: How long ctrl-c waits for a thread to come to a line of Python.
_OWN_THREAD_S = 0.1


class Prompt(Commands):
    """A thread's prompt.

    Args:
        session: The thread's turn at the terminal.
        say: Tells the user why there is no prompt.
        is_nested: It opens within a command of another prompt, which owns the session.
    """

    def __init__(self, session: Session, say: Say, *, is_nested: bool = False) -> None:
        super().__init__(
            stdin=session.keyboard,  # type: ignore[arg-type]
            stdout=session.screen,  # type: ignore[arg-type]
            skip=_OURS,
            nosigint=True,
        )
        self.use_rawinput = False
        self.is_talking = False
        self.session = session
        self._is_nested = is_nested
        self._say = say
        self._is_over = False
        self._title = ""
        self._task: Any = None
        self._bottom: FrameType | None = None
        self._raising: FrameType | None = None
        self._suspended: list[FrameType] = []
        self._visited: list[FrameType] = []
        self._steps: list[Step] = []
        self._outer: Any = None
        # One thread talks at a time: a visit of the main thread to a step is counted.
        self._turn = threading.RLock()
        self._has_come = threading.Event()
        self._visits = 0

    # What the program calls.

    def begin(self, frame: FrameType, title: str = "") -> None:
        """Stop in ``frame``, now.

        Raises:
            BdbQuit: The user quits.
        """
        sys.settrace(None)  # a step under way would stop in what follows
        is_between = self._set_step_aside()
        self.reset()
        self.botframe = frame
        while self.botframe.f_back is not None:
            self.botframe = self.botframe.f_back
        self._title = title
        if is_between:
            self.session.announce(title)
        self.interaction(frame, None)
        if self.quitting:
            raise bdb.BdbQuit
        self._arm(frame)

    def begin_dead(self, exc: BaseException) -> None:
        """Look at where ``exc`` was raised; returns when the user is done."""
        trace = sys.gettrace()
        sys.settrace(None)
        is_between = self._set_step_aside()
        self.reset()
        self._title = f"post-mortem of {frames.told(exc)}"
        if is_between:
            self.session.announce(self._title)
        dead = exc if TAKES_EXCEPTIONS else exc.__traceback__
        try:
            self.interaction(None, dead)
        finally:
            self.end()
            self.quitting = False
            sys.settrace(trace)

    def inner(self) -> Prompt:
        return Prompt(self.session, self._say, is_nested=True)

    # What pdb calls.

    def interaction(self, frame: FrameType | None, traceback_or_exc: Any) -> None:
        self._take_turn(frame, partial(super().interaction, frame, traceback_or_exc))

    def bp_commands(self, frame: FrameType) -> bool:
        """What the user has had a breakpoint do; whether it has nothing, and there is a prompt."""
        if getattr(self, "currentbp", 0) not in self.commands:
            return True
        self._take_turn(frame, partial(self._do_commands, frame, super().bp_commands))
        return False

    def _do_commands(self, frame: FrameType, act: Callable[[FrameType], Any]) -> None:
        try:
            act(frame)
        except KeyboardInterrupt:
            super().interaction(frame, None)  # those that are left are dropped, as a line is

    def _take_turn(self, frame: FrameType | None, act: Callable[[], Any]) -> None:
        """``act`` with the terminal, and alone."""
        visits = self._visits
        with self._turn:
            # While this thread waited, its step was looked at from the main one, and told on.
            was_told = visits != self._visits and frame is not None
            if was_told and (self._is_over or frame is None or not self.stop_here(frame)):
                return
            self._has_come.set()
            session, talker = self.session, self.session.talker
            if self._is_nested and self._outer is None:
                self._outer = session.on_interrupt, session.complete, session.show_place
            session.on_interrupt, session.complete = self._interrupt, self.candidates
            session.show_place = self.show_place
            session.talker = threading.current_thread()
            try:
                self._talk(frame, act)
            finally:
                session.talker = talker

    def _talk(self, frame: FrameType | None, act: Callable[[], Any]) -> None:
        self._is_over = False
        try:
            if not self._is_nested:
                suspend_tests_limits(self)
                self.session.open(self._title)
            if not self._suspended and self.session.is_own_thread:
                self._task = task.current_task()
            self._bottom = self._suspended[0] if self._suspended else frames.bottom(frame)
            self.is_talking = True
            act()
        except PauseError as exc:
            self._say(exc)
            self.set_continue()
        except HungUp:
            self.set_continue()
        except Exception as exc:
            if is_from_handler(exc):
                self._is_over = True
                raise
            # An error of pdb's, or of ours, is no error of the program's.
            if self.session.is_open:
                self.session.screen.write(f"treetap: the prompt failed.\n{traceback.format_exc()}")
            else:
                self._say(_failure(exc))
            self.set_continue()
        except BaseException:
            self._is_over = True
            raise
        finally:
            self.is_talking = False
            if self._is_over:
                self.end()
            elif self.session.is_open:
                self.session.mode = STEPPING
                if self.session.take_press() and shield.is_on:
                    signal.raise_signal(signal.SIGINT)

    def _cmdloop(self) -> None:
        while True:
            try:
                self.cmdloop()
                return
            except KeyboardInterrupt:
                continue  # the line, or the command, is dropped

    def onecmd(self, line: str) -> bool:
        self.session.mode = COMMAND
        if self.session.take_press():
            raise KeyboardInterrupt
        try:
            return bool(super().onecmd(line))
        except (PauseError, HungUp, bdb.BdbQuit):
            raise
        except Exception as exc:
            if is_from_handler(exc):
                raise
            self.error(frames.told(exc))  # the command's: the prompt stays
            return False
        finally:
            self.session.mode = BUSY

    def do_detach(self, arg: str) -> bool:
        self._steps.clear()
        return super().do_detach(arg)

    do_detach.__doc__ = Commands.do_detach.__doc__

    def set_continue(self) -> None:
        self._is_over = True
        super().set_continue()

    def set_quit(self) -> None:
        self._is_over = True
        super().set_quit()

    def get_stack(self, f: FrameType | None, t: Any) -> tuple[list[tuple[FrameType, int]], int]:
        shown = self._suspended or self._visited
        if f not in shown or f is None:
            return super().get_stack(f, t)
        return [(one, one.f_lineno) for one in shown], shown.index(f)

    # While the program runs to the next stop.

    def user_return(self, frame: FrameType, return_value: Any) -> None:
        if frames.is_suspending(frame) and inspect.CO_COROUTINE & frame.f_code.co_flags:
            self.set_next(frame)  # nobody wants to step through the event loop
            return
        super().user_return(frame, return_value)

    def dispatch_exception(self, frame: FrameType, arg: Any) -> Any:
        if not issubclass(arg[0], StopIteration):  # that is how an await ends well
            self._raising = frame
        elif frame is not self.stopframe and frames.is_machinery(frame):
            return self.trace_dispatch  # another task has ended
        return super().dispatch_exception(frame, arg)

    def dispatch_call(self, frame: FrameType, arg: Any) -> Any:
        if not self.session.is_open and not self.breaks and not self.quitting:
            sys.settrace(None)  # it was continued from another thread
            return None
        return super().dispatch_call(frame, arg)

    def dispatch_line(self, frame: FrameType) -> Any:
        self._raising = None
        return super().dispatch_line(frame)

    def dispatch_return(self, frame: FrameType, arg: Any) -> Any:
        dispatched = super().dispatch_return(frame, arg)
        if self.session.is_open and not self._is_over and frame is self._bottom:
            is_raising = self._raising is frame and arg is None
            if is_raising or not frames.is_suspending(frame):
                self.set_continue()
                self.end()
        return dispatched

    def _arm(self, frame: FrameType | None) -> None:
        """Have the program traced, as far as what the user asked for needs it."""
        if self._is_over and not self.breaks:
            return
        while frame is not None:
            frame.f_trace = self.trace_dispatch
            frame = frame.f_back
        sys.settrace(self.trace_dispatch)

    def _set_step_aside(self) -> bool:
        """Another task of this thread steps: keep what it is at; whether that is so."""
        if self._is_nested or not self.session.is_open or self._task is None:
            return False
        if self._task is task.current_task():
            return False
        self._steps.append(Step.of(self, self._task, self._bottom))
        return True

    def end(self) -> None:
        """The pause is over; a step of another task, which this one was in the middle of, goes on."""
        if self._is_nested:
            if self._outer is not None:
                session = self.session
                session.on_interrupt, session.complete, session.show_place = self._outer
                self._outer = None
                self.session.mode = COMMAND  # the outer one's, which goes on
            return
        while self._steps:
            step = self._steps.pop()
            if step.is_under_way and not self.quitting:
                self._task, self._bottom = step.task, step.bottom
                step.set_on(self)
                self._is_over = False
                self.session.mode = STEPPING
                sys.settrace(self.trace_dispatch)
                return
        self.session.close()

    def _interrupt(self, frame: FrameType | None) -> None:
        """ctrl-c in a step; in the main thread."""
        if not self.session.is_own_thread:
            stepped = self.stopframe
            self._stop_thread()
            if not self._has_come.wait(_OWN_THREAD_S):
                self._visit_thread(stepped)
            return
        here = frames.program_frame(frame)
        is_waiting = self._task is not None and task.current_task() is not self._task
        self._suspended = task.frames(self._task) if is_waiting else []
        if self._suspended:
            inner = [one for one in self._suspended if not frames.is_machinery(one)]
            here = self.stopframe if self.stopframe in self._suspended else inner[-1]
        # Or the step that is asked for would stop in what of bdb's sets it, and in ours.
        sys.settrace(None)
        try:
            self.session.screen.write("\n")
            self.interaction(here, None)
        finally:
            was_waiting, self._suspended = bool(self._suspended), []
        if was_waiting:
            if self.quitting:
                # Not here: this is the event loop's own code. It ends as by a ctrl-c.
                self.quitting = False
                shield.keep_back()
            elif not self._is_over and self.stopframe is None and here is not None:
                self.set_next(here)
        elif self.quitting:
            raise bdb.BdbQuit
        self._arm(here)

    def _stop_thread(self) -> None:
        """Have the session's thread stop at its next line."""
        self._has_come.clear()
        frame = sys._current_frames().get(self.session.thread_id)
        self.set_step()
        while frame is not None:
            frame.f_trace = self.trace_dispatch
            frame = frame.f_back

    def _visit_thread(self, stepped: FrameType | None) -> None:
        """The session's thread is in C code, and comes to no line: show from here where it is."""
        if not self._turn.acquire(blocking=False):
            return  # it has come to one
        trace = sys.gettrace()
        try:
            shown = frames.stack(sys._current_frames().get(self.session.thread_id))
            inner = [one for one in shown if not frames.is_machinery(one)]
            if not inner or not self.session.is_open or self.is_talking:
                return
            self._visits += 1
            self._visited = shown
            self.session.screen.write("\n")
            with lend(self):
                self.interaction(stepped if stepped in shown else inner[-1], None)
            self._visits += 1
        finally:
            self._visited = []
            sys.settrace(trace)
            self._turn.release()


def _failure(exc: Exception) -> PauseError:
    """Before there was a terminal to show it on."""
    where = traceback.extract_tb(exc.__traceback__)[-1]
    return PauseError(
        f"The prompt failed: {frames.told(exc)} ({where.filename}:{where.lineno}).",
        "The program goes on without it.",
        slug="pause-failed",
    )
