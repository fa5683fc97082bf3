"""``treetap wake`` and ``treetap sleep``: nodes by name, pid or tree; all of this user by default."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from treetap.cli import exitcode, live, screen, session
from treetap.errors import DaemonError

if TYPE_CHECKING:
    from treetap.client import DaemonClient
    from treetap.config.settings import Settings
    from treetap.node.registry import LiveNode

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
        for tree in sorted({each.identity.tree for each in nodes}):
            client.set_tree(tree, awake=True)
        failures = live.at_once(partial(live.wake, settings, daemon_url=client.url), nodes)
    finally:
        client.close()
    _report(nodes, failures, "awake")


def sleep(node: Nodes = None) -> None:
    """Put nodes to sleep.

    Then nothing is armed in them, there is no link, and no thread but the control plane's. Probes stay with the daemon, for the next wake. Works without a daemon.
    """
    settings = session.settings()
    everything = live.live_nodes(settings)
    put_to_sleep(settings, live.named(everything, node or []), everything)


def put_to_sleep(settings: Settings, nodes: list[LiveNode], everything: list[LiveNode]) -> None:
    """Put ``nodes`` to sleep; trees of which no live node is left out count as asleep."""
    try:
        client = session.running_daemon(settings)
    except DaemonError as exc:
        # Its trees stay awake in its book, so that a child that starts now wakes by itself.
        screen.complain(exc.line)
        client = None
    if client is not None:
        try:
            # Before the nodes: a child that starts in between must not wake again.
            for tree in sorted(_wholly_named(client, nodes, everything)):
                client.set_tree(tree, awake=False)
        finally:
            client.close()
    failures = live.at_once(partial(live.sleep, settings), nodes)
    _report(nodes, failures, "sleeping")


def _wholly_named(
    client: DaemonClient, nodes: list[LiveNode], everything: list[LiveNode]
) -> set[str]:
    named = {node.identity.id for node in nodes}
    left_out = {node.identity.tree for node in everything if node.identity.id not in named}
    trees = {node.identity.tree for node in nodes}
    if not left_out:
        # Also those that have no node at present, and may start one at any time.
        trees |= {tree["id"] for tree in client.trees() if tree["awake"]}
    return trees - left_out


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
