"""The prompt's own commands, and those of pdb that would get in the way of the program's streams or signals."""

from __future__ import annotations

import code
import sys
from typing import TYPE_CHECKING, Any

from treetap.debug import frames
from treetap.debug.completion import candidates
from treetap.debug.entry import detach
from treetap.debug.pdbs import debugger

if TYPE_CHECKING:
    import pdb
    from types import FrameType

    _Pdb = pdb.Pdb
else:
    _Pdb = debugger()

#: pdb can show what an exception came from since 3.13; pdbp can't.
TAKES_EXCEPTIONS = sys.version_info >= (3, 13) and not hasattr(_Pdb, "DefaultConfig")


class Commands(_Pdb):
    """What a prompt can be told."""

    curframe: FrameType | None
    _is_python = False

    def inner(self) -> Any:
        """A prompt within one of this one's commands."""
        raise NotImplementedError

    def candidates(self, line: str, begin: int, end: int) -> list[str]:
        """What tab offers."""
        return candidates(self, line, begin, end, is_python=self._is_python)

    def show_place(self) -> None:
        """Where it is: the frame that commands are about."""
        if self.stack and not self._is_python:
            self.print_stack_entry(self.stack[self.curindex])

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
        detach()
        self.set_continue()
        return True

    def do_debug(self, arg: str) -> None:
        """Step through a statement, in a prompt within this one."""
        assert self.curframe is not None
        inner, trace = self.inner(), sys.gettrace()
        inner.prompt = f"({self.prompt.strip()}) "
        sys.settrace(None)
        self.message("ENTERING RECURSIVE DEBUGGER")
        try:
            names = self.curframe.f_globals, self.curframe.f_locals
            sys.call_tracing(inner.run, (arg, *names))
        except Exception as exc:  # noqa: BLE001 - the statement's, which is shown
            self.error(frames.told(exc))
        finally:
            inner.end()
            sys.settrace(trace)
        self.message("LEAVING RECURSIVE DEBUGGER")
        self.lastcmd = inner.lastcmd

    def do_run(self, arg: str) -> None:
        self.error("The program can't be started anew from within.")

    do_restart = do_run
