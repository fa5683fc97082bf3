"""What a supervisor was asked for: checked as a whole before anything starts, then frozen."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections import abc
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from treetap.errors import SupervisionError
from treetap.process import level as levels
from treetap.process.harmless import make_harmless
from treetap.process.lines import MIN_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    import trio

    from treetap.process.handing import Line
    from treetap.process.relay import Logger

Command: TypeAlias = "str | bytes | Sequence[str | bytes | os.PathLike[str] | os.PathLike[bytes]]"

MAX_LABEL_CHARS = 80


class NotGiven:
    """Tells *not given* from ``None``, which is a value."""

    def __repr__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN: Final = NotGiven()


@dataclass(frozen=True, kw_only=True, slots=True)
class Orders:
    """The arguments of ``supervise_run_process``, which documents them."""

    command: Command
    check: bool
    label: str | None
    relay_stdout: bool
    relay_stderr: bool
    relay_level: str | int
    logger: Logger
    lines: trio.MemorySendChannel[Line] | None
    stdout: Any
    merge_stderr: bool
    keep_stdout: bool
    keep_bytes: tuple[int, int]
    ok: Collection[int]
    cancel_grace_s: float
    kill_tree: bool
    pipe_grace_s: float
    max_line_bytes: int
    prompt_after_s: float
    escape_control: bool
    options: dict[str, Any] = field(default_factory=dict)

    def validate(self) -> None:
        """Find what can't be.

        Raises:
            SupervisionError: With what to use instead.
        """
        levels.resolve(self.relay_level)
        for name in self.options:
            if name.startswith("capture_"):  # trio's and subprocess's
                raise SupervisionError(
                    f"{name} is not taken: all of an endless output would be kept.",
                    "The beginning and end of stderr are in the error's .stderr; keep_stdout=True "
                    "does the same for stdout; relay_stdout=True, relay_stderr=True, and "
                    "lines=channel give all of it as it comes.",
                )
        if not self.command:
            raise SupervisionError("The command is empty.", "It begins with the program's name.")
        self._validate_stdout()
        self._validate_limits()
        self._validate_kinds()

    def _validate_stdout(self) -> None:
        is_read = self.relay_stdout or self.keep_stdout
        if self.stdout == subprocess.PIPE and not is_read:
            raise SupervisionError(
                "stdout=PIPE without a reader would block the program as soon as the pipe is full.",
                "Use relay_stdout=True for its lines in the log, with lines=channel for its lines "
                "as values, or keep_stdout=True for its beginning and end in the error.",
            )
        if is_read and self.stdout is not NOT_GIVEN and self.stdout != subprocess.PIPE:
            raise SupervisionError(
                f"stdout={self.stdout!r} and a reader of stdout contradict each other.",
                "Leave out stdout=, or relay_stdout= and keep_stdout=.",
            )
        if (
            self.merge_stderr
            and self.relay_stderr
            and self.stdout not in (NOT_GIVEN, subprocess.PIPE)
        ):
            raise SupervisionError(
                f"With merge_stderr=True stderr goes to stdout={self.stdout!r}, and to no reader.",
                "Leave out stdout=, or relay_stderr=.",
            )
        if self.lines is not None and not (self.relay_stdout or self.relay_stderr):
            raise SupervisionError(
                "lines= is given, but no stream to take them from.",
                "Say which: relay_stdout=True, relay_stderr=True, or both.",
            )

    def _validate_limits(self) -> None:
        # Any: what the annotations promise is what is looked at.
        length: Any = self.max_line_bytes
        if not isinstance(length, int) or length < MIN_LINE_BYTES:
            raise SupervisionError(
                f"max_line_bytes={length!r} is no length of a line.",
                f"It is a number of bytes, at least {MIN_LINE_BYTES}.",
            )
        for name in ("cancel_grace_s", "pipe_grace_s", "prompt_after_s"):
            seconds = getattr(self, name)
            if not isinstance(seconds, int | float) or not seconds >= 0:  # NaN is neither
                raise SupervisionError(
                    f"{name}={seconds!r} is no duration.", "It is in seconds, 0 or more."
                )
        kept: Any = self.keep_bytes
        if not (
            isinstance(kept, tuple | list)
            and len(kept) == 2
            and all(isinstance(part, int) and part >= 0 for part in kept)
        ):
            raise SupervisionError(
                f"keep_bytes={kept!r} is no pair of lengths.",
                "The bytes to keep of the beginning, and of the end: (16384, 16384).",
            )

    def _validate_kinds(self) -> None:
        """What would else be noticed when the program runs, or has ended."""
        ok: Any = self.ok
        if not isinstance(ok, abc.Collection) or not all(isinstance(code, int) for code in ok):
            raise SupervisionError(
                f"ok={ok!r} is no collection of codes.",
                "For example ok=[0, 1], or ok=[0, signal.SIGTERM] for the death by a signal.",
            )
        if not hasattr(self.logger, "isEnabledFor"):
            raise SupervisionError(
                f"logger={self.logger!r} is no logger.",
                f"logging.getLogger({str(self.logger)!r}) is one.",
            )
        label: Any = self.label
        if not isinstance(label, str | None):
            raise SupervisionError(f"label={label!r} is no text.", "It is a str.")

    @property
    def has_stdout_pipe(self) -> bool:
        """Whether a reader has the program's stdout, with its stderr if they are merged."""
        if self.merge_stderr and self.stdout is NOT_GIVEN:
            return self.relay_stdout or self.keep_stdout or self.has_stderr_interest
        return self.relay_stdout or self.keep_stdout

    @property
    def has_stderr_pipe(self) -> bool:
        return self.has_stderr_interest and not self.merge_stderr

    @property
    def has_stderr_interest(self) -> bool:
        return self.relay_stderr or self.check

    @property
    def leads_group(self) -> bool:
        """Whether the program has a process group of its own, named by its pid."""
        return bool(self.options.get("start_new_session")) or self.options.get("process_group") == 0

    @property
    def deliver_cancel(self) -> Callable[[trio.Process], Awaitable[object]] | None:
        found: Callable[[trio.Process], Awaitable[object]] | None = self.options.get(
            "deliver_cancel"
        )
        return found

    def popen_options(self) -> dict[str, Any]:
        """What ``trio.lowlevel.open_process`` is called with; the managed ones win."""
        options = dict(self.options)
        options.pop("deliver_cancel", None)
        if self.has_stdout_pipe:
            stdout = subprocess.PIPE
        else:
            stdout = subprocess.DEVNULL if self.stdout is NOT_GIVEN else self.stdout
        stderr = subprocess.PIPE if self.has_stderr_interest else subprocess.DEVNULL
        options.update(
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT if self.merge_stderr else stderr,
        )
        return options

    def name(self) -> str:
        """What the program is called in the log: its label, or its command, on one short line."""
        if self.label is not None:
            return make_harmless(self.label)
        if isinstance(self.command, str | bytes):
            text = os.fsdecode(self.command)
        else:
            text = shlex.join(os.fsdecode(word) for word in self.command)
        text = make_harmless(text)
        return text if len(text) <= MAX_LABEL_CHARS else text[: MAX_LABEL_CHARS - 1] + "…"

    def is_success(self, returncode: int) -> bool:
        """Whether a code is one of ``ok``, where a signal means the death by it."""
        codes = {-code if isinstance(code, signal.Signals) else code for code in self.ok}
        return returncode in codes
