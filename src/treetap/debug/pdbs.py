"""What the prompt is made of: ``pdbp`` where it is installed and its colours may be shown, else ``pdb``.

Of pdbp are taken its commands and its look. Its ways with the terminal are left out: it would set up
readline, and let a local variable stand before a command of the same name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treetap.debug.colour import CURRENT, can_colour, painted, painted_entry
from treetap.debug.private import Private

if TYPE_CHECKING:
    from types import FrameType, ModuleType, TracebackType


def debugger() -> Any:
    """The class ``Pdb`` of one or the other."""
    if can_colour():
        try:
            return _plus(Private(frozenset({"pdbp", "tabcompleter", "rlcompleter", "pdb"})))
        except Exception:  # noqa: BLE001 - it isn't installed, or isn't as we know it
            pass
    return _plain(Private(frozenset({"rlcompleter"})).load("pdb"))


def _plain(pdb: ModuleType) -> Any:
    """The standard library's, in colours where its output has them."""

    class Plain(pdb.Pdb):  # type: ignore[misc, name-defined]
        is_listing = False

        def print_stack_entry(self, frame_lineno: Any, prompt_prefix: str = "\n-> ") -> None:
            if not self.stdout.is_coloured:
                super().print_stack_entry(frame_lineno, prompt_prefix)
                return
            is_current = frame_lineno[0] is self.curframe
            entry = painted_entry(
                self.format_stack_entry(frame_lineno, prompt_prefix), is_current=is_current
            )
            self.message(("> " if is_current else "  ") + entry)

        def _print_lines(self, *arguments: Any, **options: Any) -> None:
            self.is_listing = self.stdout.is_coloured
            try:
                super()._print_lines(*arguments, **options)
            finally:
                self.is_listing = False

        def message(self, msg: str, *arguments: Any, **options: Any) -> None:
            is_current = self.is_listing and "->" in msg.partition("\t")[0]
            super().message(painted(msg, CURRENT) if is_current else msg, *arguments, **options)

    return Plain


def _plus(private: Private) -> Any:
    pdbp = private.load("pdbp")
    pdbp.DefaultConfig.disable_pytest_capturing = False  # we talk to the terminal

    class Plus(pdbp.Pdb):  # type: ignore[misc, name-defined]
        """As pdbp's, without readline."""

        def interaction(self, frame: FrameType | None, traceback: TracebackType | None) -> None:
            if self.setup(frame, traceback):
                self.forget()
                return
            self._set_colours(traceback)
            if not self.sticky:
                self.message("")
            self.print_stack_entry(self.stack[self.curindex])
            self.print_hidden_frames_count()
            self.config.before_interaction_hook(self)
            self._cmdloop()
            self.forget()

        def parseline(self, line: str) -> Any:
            line = line[1:] if line.startswith("!!") else line
            is_question = line.rstrip().endswith("?")
            # Beyond pdbp's own: there a name in the program hides a command.
            return (
                super().parseline(line)
                if is_question
                else pdbp.Pdb.__bases__[0].parseline(self, line)
            )

        def _set_colours(self, traceback: TracebackType | None) -> None:
            config = self.config
            if traceback:
                self.has_traceback = True
                config.stack_color = config.pm_stack_color
                config.current_line_color = config.pm_cur_line_color
            elif self.has_traceback and config.exception_caught:
                self.has_traceback = False
                config.stack_color = config.regular_stack_color
                config.current_line_color = config.regular_line_color

    return Plus
