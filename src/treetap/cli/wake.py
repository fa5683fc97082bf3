"""``treetap wake`` and ``treetap sleep``: nodes by name, pid or tree; all of this user by default."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from treetap.cli import exitcode, live, screen, session

if TYPE_CHECKING:
    from treetap.cli.live import LiveNode
    from treetap.client import DaemonClient
    from treetap.config.settings import Settings

WAKE_EPILOG = """\b
Examples:
  treetap wake
  treetap wake shop
  treetap wake 4711 4712
"""
SLEEP_EPILOG = """\b
Examples:
  treetap sleep
  treetap sleep shop
"""

Nodes = Annotated[
    list[str] | None,
    typer.Argument(metavar="NODE", help="Name, pid, node id or tree id. [default: every node]"),
]


def wake(node: Nodes = None) -> None:
    """Wake nodes.

    Links them to the daemon and arms their probes. Starts the daemon if none runs. Trees whose nodes are woken count as awake: processes that
    they start later wake by themselves.
    """
    settings = session.settings()
    nodes = live.named(live.live_nodes(settings), node or [])
    client = session.started_daemon(settings)
    try:
        set_trees(client, nodes, awake=True)
        failures = live.at_once(partial(live.wake, settings, daemon_url=client.url), nodes)
    finally:
        client.close()
    _report(nodes, failures, "awake")


def sleep(node: Nodes = None) -> None:
    """Put nodes to sleep.

    Then nothing is armed in them, there is no link, and no thread but the control plane's. Probes stay with the daemon, for the next wake. Works without a daemon.
    """
    settings = session.settings()
    nodes = live.named(live.live_nodes(settings), node or [])
    put_to_sleep(settings, nodes, whole_trees=not node)


def put_to_sleep(settings: Settings, nodes: list[LiveNode], *, whole_trees: bool) -> None:
    client = session.running_daemon(settings)
    if client is not None:
        # Before the nodes: a child that starts in between must not wake again.
        try:
            set_trees(client, nodes, awake=False, also_known=whole_trees)
        finally:
            client.close()
    failures = live.at_once(partial(live.sleep, settings), nodes)
    _report(nodes, failures, "sleeping")


def set_trees(
    client: DaemonClient, nodes: list[LiveNode], *, awake: bool, also_known: bool = False
) -> None:
    trees = {node.identity.tree for node in nodes}
    for tree in sorted(trees):
        client.set_tree(tree, awake=awake)


def _report(nodes: list[LiveNode], failures: list[str], state: str) -> None:
    if not nodes:
        screen.complain("No live node. Start one: treetap run -- COMMAND.")
        raise typer.Exit(exitcode.NOTHING_MATCHES)
    for node, failure in zip(nodes, failures, strict=True):
        who = f"{node.identity.name} {node.identity.pid}"
        if failure:
            screen.complain(f"{who}: {failure}")
        else:
            print(f"{who} {state}")
    if any(failures):
        raise typer.Exit(exitcode.FAILURE)
