"""The entry point: every error of a command becomes one line on standard error and an exit code."""

from __future__ import annotations

import errno
import os
import sys

from treetap.cli import exitcode, run
from treetap.errors import TreetapError

_DAEMON_EXTRA = "The commands need the package's extra: pip install 'treetap[daemon]'."


def main() -> None:
    """Run the command line of this process, and exit."""
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: list[str]) -> int:
    """Run one command; return its exit code."""
    _replace_closed_output()
    asked = run.read(arguments[1:]) if arguments[:1] == ["run"] else None
    try:
        return run.launch(asked) if asked is not None else _dispatch(arguments)
    except TreetapError as exc:
        sys.stderr.write(f"treetap: {exc.line}\n")
        return exitcode.of(exc)
    except KeyboardInterrupt:
        return exitcode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone; the interpreter's last flush must not complain.
        _discard_output()
        return exitcode.OK
    except OSError as exc:
        if exc.errno != errno.ENOSPC:
            raise
        _discard_output()
        sys.stderr.write("treetap: The output can't be written: no space is left on its device.\n")
        return exitcode.FAILURE


def _replace_closed_output() -> None:
    """Python has no streams where its descriptors are closed. A program that we become has none either."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nothing = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - to the end
            setattr(sys, name, nothing)


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(arguments: list[str]) -> int:
    try:
        import typer
    except ModuleNotFoundError as exc:
        sys.stderr.write(f"treetap: {exc.name} is not installed. {_DAEMON_EXTRA}\n")
        return exitcode.FAILURE
    # httpx would load its own command line, with rich's highlighting: 60 ms of each command.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # as the import system has it
    from treetap.cli.commands import app

    # typer's public name of a wrong parameter; its bases are any wrong command line, and any
    # error that is to be shown.
    usage_error: type[Exception] = typer.BadParameter.__mro__[1]
    shown_error: type[Exception] = typer.BadParameter.__mro__[2]
    try:
        outcome = app(arguments, prog_name="treetap", standalone_mode=False)
    except typer.Abort:
        return exitcode.INTERRUPTED
    except usage_error as exc:
        _complain_of_usage(exc)
        return exitcode.USAGE
    except shown_error as exc:
        sys.stderr.write(f"treetap: {exc}\n")
        return exitcode.FAILURE
    return outcome if isinstance(outcome, int) else exitcode.OK


def _complain_of_usage(error: BaseException) -> None:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "treetap"
    message = getattr(error, "format_message", lambda: str(error))()
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(f"{message}\n")
    else:
        stop = "" if message.endswith((".", "?", "!")) else "."
        sys.stderr.write(f"{path}: {message}{stop} Try: {path} --help\n")


if __name__ == "__main__":
    main()
