"""The entry point: every error of a command becomes one line on standard error and an exit code."""

from __future__ import annotations

import os
import sys

from treetap.errors import TreetapError

_DAEMON_EXTRA = "The commands need the package's extra: pip install 'treetap[daemon]'."


def main() -> None:
    """Run the command line of this process, and exit."""
    try:
        import typer  # noqa: F401 - is it there?
    except ModuleNotFoundError as exc:
        sys.stderr.write(f"treetap: {exc.name} is not installed. {_DAEMON_EXTRA}\n")
        sys.exit(1)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; return its exit code."""
    import typer

    from treetap.cli import exitcode
    from treetap.cli.commands import app

    # typer's public name for a wrong command line; its own base is any error that it shows.
    usage_error: type[Exception] = typer.BadParameter.__mro__[1]
    shown_error: type[Exception] = typer.BadParameter.__mro__[2]
    try:
        outcome = app(arguments, prog_name="treetap", standalone_mode=False)
    except TreetapError as exc:
        sys.stderr.write(f"treetap: {exc.line}\n")
        return exitcode.of(exc)
    except usage_error as exc:
        return _usage(exc)
    except shown_error as exc:
        sys.stderr.write(f"treetap: {exc}\n")
        return exitcode.FAILURE
    except (KeyboardInterrupt, typer.Abort):
        return exitcode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone; the interpreter's last flush must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exitcode.OK
    return outcome if isinstance(outcome, int) else exitcode.OK


def _usage(error: Exception) -> int:
    from treetap.cli import exitcode

    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "treetap"
    message = getattr(error, "format_message", lambda: str(error))()
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(f"{message}\n")
    else:
        sys.stderr.write(f"{path}: {message} Try: {path} --help\n")
    return exitcode.USAGE


if __name__ == "__main__":
    main()
