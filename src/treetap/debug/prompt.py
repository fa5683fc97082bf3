"""The prompt: pdb on the terminal, for as long as a session has it.

pdb does the debugging; what is changed is where it stops being in charge of the terminal: it opens
a session before it talks, keeps it while it steps, and closes it when the program is to run on.
Its own handling of SIGINT is off (``nosigint``): the session has one.
"""

from __future__ import annotations

import bdb
import code
import dis
import inspect
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

from treetap.debug import task
from treetap.debug.colour import CURRENT, painted, painted_entry
from treetap.debug.completion import candidates
from treetap.debug.entry import detach, lend
from treetap.debug.limits import is_from_handler, suspend_tests_limits
from treetap.debug.private import load_pdb
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

#: Who is at the bottom of a program: stepping off the end of what they have called ends the step.
_MACHINERY = frozenset(
    {
        *("asyncio", "concurrent", "multiprocessing", "runpy", "threading", "trio", "anyio"),
        *("treetap", "pdb", "bdb", "cmd", "code"),
    }
)
_OURS = ("treetap.debug.*",)
#: How long ctrl-c waits for a thread to come to a line of Python.
_OWN_THREAD_S = 0.1


if TYPE_CHECKING:
    import pdb

    _Pdb = pdb.Pdb
else:
    _Pdb = load_pdb().Pdb


class Prompt(_Pdb):
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
        self._is_python = False
        self._is_listing = False
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
        self._title = f"post-mortem of {_told(exc)}"
        if is_between:
            self.session.announce(self._title)
        # pdb can show what an exception came from since 3.13.
        dead = exc if sys.version_info >= (3, 13) else exc.__traceback__
        try:
            self.interaction(None, dead)
        finally:
            self._end()
            self.quitting = False
            sys.settrace(trace)

    # What pdb calls.

    def interaction(self, frame: FrameType | None, traceback_or_exc: Any) -> None:
        visits = self._visits
        with self._turn:
            # While this thread waited, its step was looked at from the main one, and told on.
            was_told = visits != self._visits and frame is not None
            if was_told and (self._is_over or frame is None or not self.stop_here(frame)):
                return
            self._has_come.set()
            session = self.session
            former = session.on_interrupt, session.complete, session.talker
            session.on_interrupt, session.complete = self._interrupt, self._complete
            session.talker = threading.current_thread()
            try:
                self._talk(frame, traceback_or_exc)
            finally:
                session.talker = former[2]
                if self._is_nested:
                    session.on_interrupt, session.complete = former[:2]

    def _talk(self, frame: FrameType | None, traceback_or_exc: Any) -> None:
        self._is_over = False
        try:
            if not self._is_nested:
                suspend_tests_limits(self)
                self.session.open(self._title)
            if not self._suspended and self.session.is_own_thread:
                self._task = task.current_task()
            self._bottom = self._suspended[0] if self._suspended else _bottom(frame)
            self.is_talking = True
            super().interaction(frame, traceback_or_exc)
        except PauseError as exc:
            self._say(exc)
            self.set_continue()
        except HungUp:
            self.set_continue()
        except Exception as exc:
            if is_from_handler(exc):
                self._is_over = True
                raise
            # An error of pdb's is no error of the program's.
            self.session.screen.write(f"treetap: the prompt failed.\n{traceback.format_exc()}")
            self.set_continue()
        except BaseException:
            self._is_over = True
            raise
        finally:
            self.is_talking = False
            if self._is_over:
                self._end()
                if self._is_nested:
                    self.session.mode = COMMAND  # the outer one's, which goes on
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
        finally:
            self.session.mode = BUSY

    def do_interact(self, arg: str) -> None:
        """Start an interpreter on the names of the current frame; ctrl-d ends it."""
        assert self.curframe is not None
        names = {**self.curframe.f_globals, **self.curframe.f_locals}
        files, had_ps1 = (sys.stdin, sys.stdout, sys.stderr), hasattr(sys, "ps1")
        sys.stdin, sys.stdout, sys.stderr = self.stdin, self.stdout, self.stdout
        self._is_python = True
        try:
            code.InteractiveConsole(names).interact(
                "*pdb interact start*", "*exit from pdb interact command*"
            )
        except SystemExit:
            self.message("*exit from pdb interact command*")
        finally:
            self._is_python = False
            sys.stdin, sys.stdout, sys.stderr = files
            if not had_ps1 and hasattr(sys, "ps1"):
                del sys.ps1  # by which programs know that they are interactive

    def do_detach(self, arg: str) -> bool:
        """Go on, and end the pause for good: without breakpoints, and past every breakpoint().

        It is this process's; its children, and the other processes, pause as before.
        """
        if arg:
            self.error("detach takes no argument.")
            return False
        self.clear_all_breaks()
        self._steps.clear()
        detach()
        self.set_continue()
        return True

    def print_stack_entry(
        self, frame_lineno: tuple[FrameType, int], prompt_prefix: str = "\n-> "
    ) -> None:
        if not self.session.screen.is_coloured:
            super().print_stack_entry(frame_lineno, prompt_prefix)
            return
        is_current = frame_lineno[0] is self.curframe
        entry = self.format_stack_entry(frame_lineno, prompt_prefix)
        self.message(("> " if is_current else "  ") + painted_entry(entry, is_current=is_current))

    def _print_lines(self, lines: Any, *arguments: Any, **options: Any) -> None:
        self._is_listing = self.session.screen.is_coloured
        try:
            super()._print_lines(lines, *arguments, **options)
        finally:
            self._is_listing = False

    def message(self, msg: str, *arguments: Any, **options: Any) -> None:
        is_current = self._is_listing and "->" in msg.partition("\t")[0]
        super().message(painted(msg, CURRENT) if is_current else msg, *arguments, **options)

    def do_run(self, arg: str) -> None:
        self.error("The program can't be started anew from within.")

    do_restart = do_run

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
        if _is_suspending(frame) and inspect.CO_COROUTINE & frame.f_code.co_flags:
            self.set_next(frame)  # nobody wants to step through the event loop
            return
        super().user_return(frame, return_value)

    def dispatch_exception(self, frame: FrameType, arg: Any) -> Any:
        if not issubclass(arg[0], StopIteration):  # that is how an await ends well
            self._raising = frame
        elif frame is not self.stopframe and _is_machinery(frame):
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
            if is_raising or not _is_suspending(frame):
                self.set_continue()
                self._end()
        return dispatched

    def _arm(self, frame: FrameType | None) -> None:
        """Have the program traced, as far as what the user asked for needs it."""
        if self._is_over and not self.breaks:
            return
        while frame is not None:
            frame.f_trace = self.trace_dispatch
            frame = frame.f_back
        sys.settrace(self.trace_dispatch)

    def _complete(self, line: str, begin: int, end: int) -> list[str]:
        return candidates(self, line, begin, end, is_python=self._is_python)

    def _set_step_aside(self) -> bool:
        """Another task of this thread steps: keep what it is at; whether that is so."""
        if self._is_nested or not self.session.is_open or self._task is None:
            return False
        if self._task is task.current_task():
            return False
        self._steps.append(Step.of(self, self._task, self._bottom))
        return True

    def _end(self) -> None:
        """The pause is over; a step of another task, which this one was in the middle of, goes on."""
        if self._is_nested:
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
        here = _program_frame(frame)
        is_waiting = self._task is not None and task.current_task() is not self._task
        self._suspended = task.frames(self._task) if is_waiting else []
        if self._suspended:
            inner = [one for one in self._suspended if not _is_machinery(one)]
            here = self.stopframe if self.stopframe in self._suspended else inner[-1]
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
        if not self._is_over:
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
            frames = _stack(sys._current_frames().get(self.session.thread_id))
            inner = [one for one in frames if not _is_machinery(one)]
            if not inner or not self.session.is_open or self.is_talking:
                return
            self._visits += 1
            self._visited = frames
            self.session.screen.write("\n")
            with lend(self):
                self.interaction(stepped if stepped in frames else inner[-1], None)
            self._visits += 1
        finally:
            self._visited = []
            sys.settrace(trace)
            self._turn.release()


def _stack(frame: FrameType | None) -> list[FrameType]:
    """The frame and its callers, the outermost first."""
    found: list[FrameType] = []
    while frame is not None:
        found.insert(0, frame)
        frame = frame.f_back
    return found


def _told(exc: BaseException) -> str:
    """An exception as the last line of its traceback has it, on one line; without its notes."""
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    told = traceback.TracebackException(type(exc), exc, None)
    told.__notes__ = None
    return " ".join("".join(told.format_exception_only()).split())[:200]


def _is_machinery(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in _MACHINERY


def _bottom(frame: FrameType | None) -> FrameType | None:
    """The outermost frame of the program below this one: what has called that is machinery."""
    while frame is not None and frame.f_back is not None and not _is_machinery(frame.f_back):
        frame = frame.f_back
    return frame


def _is_suspending(frame: FrameType) -> bool:
    """Whether a frame that "returns" goes on later."""
    if not frame.f_code.co_flags & (
        inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
    ):
        return False
    # As 3.11 and 3.12 tell it; 3.13 is at the next instruction already.
    return dis.opname[frame.f_code.co_code[frame.f_lasti]] in ("YIELD_VALUE", "RESUME")


def _program_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of the program, where the debugger itself was interrupted."""
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] in (
        "treetap",
        "bdb",
        "pdb",
    ):
        frame = frame.f_back
    return frame
