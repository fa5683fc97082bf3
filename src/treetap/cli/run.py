"""``treetap run``: any program as the root of a tapped tree.

This process becomes the program (``exec``), so its pid, its terminal, its signals and its exit
code are the program's own: there is nobody between it and its parent who could get them wrong.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from treetap.cli import exitcode, screen, session, spec

if TYPE_CHECKING:
    from treetap.config.settings import Settings

EPILOG = """\b
Examples:
  treetap run -- python -m http.server 8000
  treetap run --name shop -- gunicorn shop:app --workers 4
  treetap run --probe 'shop.py:42 order.total len(items)' -- python shop.py
  treetap run --probe shop.py:42 order.total 'len(items)' -- python shop.py

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


def gather_probes(arguments: list[str]) -> list[str]:
    """Join ``--probe LOCATION EXPR EXPR`` before ``--`` into one value."""
    if "--" not in arguments:
        return arguments
    end = arguments.index("--")
    gathered: list[str] = []
    words = iter(range(end))
    for index in words:
        gathered.append(arguments[index])
        if arguments[index] != "--probe" or index + 1 >= end:
            continue
        location = arguments[next(words)]
        parts = [location]
        if not spec.is_whole_probe(location):
            while index + len(parts) + 1 < end and not _is_option(
                arguments[index + len(parts) + 1]
            ):
                parts.append(arguments[next(words)])
        gathered.append(spec.SEPARATOR.join(parts))
    return gathered + arguments[end:]


def _is_option(word: str) -> bool:
    return word.startswith("-")


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
) -> None:
    """Run a program as a tapped tree, asleep.

    Every Python process of it, at any depth, becomes a node that 'treetap ps' shows and 'treetap
    probe add' wakes. Nothing of the program changes: its pid, terminal, signals and exit code are
    its own. Not found is 127, not executable 126.
    """
    settings = session.settings()
    probes = [spec.split_probe(text) for text in probe or ()]
    environment = tree_environment(settings, name)
    if awake or probes:
        register(settings, environment["TREETAP_TREE"], probes)
    become(command, environment)


def tree_environment(settings: Settings, name: str) -> dict[str, str]:
    """The environment of a new tree whose root is this very process, and stays it over the exec."""
    from treetap.node.identity import process_start_ns
    from treetap.node.launch import environment

    pid = os.getpid()
    tree = f"{pid}-{process_start_ns(pid):x}"
    return environment(os.environ, home=settings.home, tree=tree, name=name)


def register(settings: Settings, tree: str, probes: list[tuple[str, list[str]]]) -> None:
    """Tell a daemon of the tree's probes, and that it is awake, before it exists."""
    client = session.started_daemon(settings)
    try:
        for location, expressions in probes:
            client.add_probe(location=location, expressions=expressions, target={"tree": tree})
        client.set_tree(tree, awake=True)
    finally:
        client.close()


def become(command: list[str], environment: dict[str, str]) -> None:
    """Replace this process by ``command``; returns only by raising ``typer.Exit``."""
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these; the program would inherit that, and `… | head` would never end it.
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606 - what run is for
    except (FileNotFoundError, NotADirectoryError):
        screen.complain(f"treetap run: {command[0]}: command not found. Check its name and PATH.")
        code = exitcode.NOT_FOUND
    except OSError as exc:
        screen.complain(f"treetap run: {command[0]}: can't be executed: {exc.strerror}.")
        code = exitcode.NOT_EXECUTABLE
    raise typer.Exit(code)
