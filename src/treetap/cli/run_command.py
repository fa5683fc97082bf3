"""The signature and the help of ``treetap run``."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from treetap.cli.run import Asked, gather_probes, launch

EPILOG = """\b
Examples:
  treetap run -- python -m http.server 8000
  treetap run --name shop -- gunicorn shop:app --workers 4
  treetap run --probe 'shop.py:42 order.total len(items)' -- python shop.py
  treetap run --probe shop.py:42 order.total 'len(items)' -- python shop.py
  treetap run --relay -- make test

\b
A --probe is one quoted text: the location, then the expressions, separated by blanks. Blanks in
brackets or quotes don't separate; another expression with blanks is quoted as a whole: "a + b".
If it holds only the location, the words after it, up to the next option or to --, are its
expressions, one a word.
"""


class RunCommand(TyperCommand):
    """Gathers the words behind a ``--probe LOCATION`` before the options are read."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, gather_probes(args))


def run(
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND", help="The program and its arguments.")
    ],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the nodes; default: what runs in each.")
    ] = "",
    awake: Annotated[
        bool, typer.Option("--awake", help="Wake every process as it starts.")
    ] = False,
    probe: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'LOCATION EXPR...'", help="A probe from the first line on; implies --awake."
        ),
    ] = None,
    relay: Annotated[
        bool,
        typer.Option(
            "--relay", help="Supervise the program without a terminal; its lines on standard error."
        ),
    ] = False,
    on_crash: Annotated[
        bool, typer.Option("--on-crash", help="A prompt where an exception ends a process.")
    ] = False,
) -> None:
    """Run a program as a tapped tree, asleep.

    Every Python process of it, at any depth, becomes a node that 'treetap ps' shows and 'treetap
    probe add' wakes. Nothing of the program changes: its pid, terminal, signals and exit code are
    its own. Not found is 127, not executable 126. breakpoint() in any of them opens a prompt on the
    terminal, one at a time. With --relay it has no terminal: its lines come
    with their time and stream, and it ends with this command, by SIGTERM, then SIGKILL.
    """
    raise typer.Exit(launch(Asked(command, name, awake, tuple(probe or ()), relay, on_crash)))
