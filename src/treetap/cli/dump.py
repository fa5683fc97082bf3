"""``treetap dump``: the threads and tasks of every process of a tree, and where each stands."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treetap.cli import choice, exitcode, live, screen, session

if TYPE_CHECKING:
    from treetap.node.registry import LiveNode

EPILOG = """\b
Examples:
  treetap dump
  treetap dump shop
  treetap dump 4711 --json | jq '.dump.threads[].name'
"""


def dump(
    node: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NODE",
            help="Name, pid, node id or tree id; with all below it. [default: every tree]",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a process and line.")
    ] = False,
) -> None:
    """Show what every process does: threads and tasks, and the line where each stands.

    Parents come before their children. Nothing is stopped or changed; it works while a prompt is up. A process that
    is no node is named only. Of trio and asyncio every task is shown, below the one that waits for it. The same comes
    on standard error of a process that gets SIGUSR1, for its whole tree.
    """
    from treetap.cli import prompts
    from treetap.node import treedump

    settings = session.settings()
    standings = prompts.by_pid(settings)
    members = choice.chosen(choice.members(live.live_nodes(settings)), node or [], standings)
    if not members:
        screen.complain("No live node. Start one: treetap run -- COMMAND.")
        raise typer.Exit(exitcode.NOTHING_MATCHES)

    def ask(one: LiveNode) -> dict[str, Any]:
        return treedump.ask(one, settings.token)

    entries = treedump.dumps(members, ask)
    if as_json:
        for entry in entries:
            terminal = prompts.to_list(standings.get(entry.member.pid, []))
            screen.print_json({**entry.to_dict(), "terminal": terminal})
        return
    notes = {pid: prompts.text(found) for pid, found in standings.items()}
    sys.stdout.write("".join(f"{line}\n" for line in treedump.lines(entries, notes)))
    sys.stdout.flush()
