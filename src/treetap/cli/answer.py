"""``treetap answer``: a prompt that waits, on this terminal."""

from __future__ import annotations

import os
import pwd
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from treetap.cli import exitcode, screen, session

if TYPE_CHECKING:
    from treetap.debug.standing import Standing

EPILOG = """\b
Examples:
  treetap answer
  treetap answer --node worker
  treetap answer --list
"""

_HEADERS = ("TREE", "NODE", "PID>", "STATE", "SINCE>", "ANSWERED BY")


def answer(
    node: Annotated[
        str, typer.Option(metavar="NAME|PID", help="Answer this one; else who has waited longest.")
    ] = "",
    tree: Annotated[
        str, typer.Option(metavar="TREE|PID", help="Of this tree: its id, or its root's pid.")
    ] = "",
    as_list: Annotated[
        bool, typer.Option("--list", help="Answer nobody: show who holds and who waits.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --list: one JSON object a line.")
    ] = False,
) -> int:
    """Answer a prompt that waits, on this terminal.

    For a process that has no terminal, or waits for its tree's. It is the prompt as it would be
    there, with completion and ctrl-c. Ctrl-d gives it back: it waits again, as it does when this
    terminal is closed. Each terminal answers one prompt.
    """
    from treetap.debug.answering import choose, serve
    from treetap.debug.standing import trees_with_prompts

    settings = session.settings()
    wanted: str | int = int(tree) if tree.isdecimal() else tree
    found = [
        one for standings in trees_with_prompts(wanted, home=settings.home).values()
        for one in standings
    ]  # fmt: skip
    if as_list or as_json:
        _show(found, as_json=as_json)
        return exitcode.OK
    chosen = choose(found, node)

    def begin() -> None:
        screen.complain(f"treetap: answering {chosen.label}. ctrl-d gives it back.")

    outcome = serve(settings.home, chosen, _own_label(), begin)
    screen.complain(f"treetap: {chosen.label} {outcome}.")
    return exitcode.OK


def _own_label() -> str:
    """Where the one who answers is to be found, for whom it is told."""
    where = next((os.ttyname(fd) for fd in (0, 1, 2) if os.isatty(fd)), "a pipe")
    return f"{_own_user()} on {where} ({os.getpid()})"


def _own_user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # as in a container
        return os.environ.get("USER") or str(os.getuid())


def _show(found: list[Standing], *, as_json: bool) -> None:
    from treetap.debug.kinship import is_stopped

    if as_json:
        for one in found:
            screen.print_json({**one._asdict(), "name": one.name})
    elif not found:
        screen.complain("Nobody is at a prompt, or waits for one.")
    else:
        screen.print_table(
            _HEADERS,
            [
                (
                    one.tree,
                    one.name,
                    str(one.pid),
                    f"{one.state}, stopped" if is_stopped(one.pid) else one.state,
                    screen.duration_text(one.since_s),
                    one.by,
                )
                for one in found
            ],
        )
    sys.stdout.flush()
