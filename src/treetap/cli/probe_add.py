"""``treetap probe add``: a probe, the nodes woken for it, and what became of it in each."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treetap.cli import live, outcome, screen, session, spec
from treetap.errors import ProbeError
from treetap.model.probe import Target

if TYPE_CHECKING:
    from treetap.client import DaemonClient
    from treetap.config.settings import Settings
    from treetap.node.registry import LiveNode

EPILOG = """\b
Examples:
  treetap probe add shop.py:42 order.total 'len(items)'
  treetap probe add 'shop.py:"total += price"' total price
  treetap probe add shop.cart:Cart.add self.owner --if 'price < 0' --for 10m
  treetap probe add http.server:BaseHTTPRequestHandler.send_response code --throttle 20
  treetap probe add shop.py:42 --snapshot --first --node worker
"""

#: How long to wait for the nodes to say what became of the probe.
REPORT_TIMEOUT_S = 2.0
_POLL_S = 0.01


def _mode(
    sample: int | None, every: str | None, first: bool, throttle: float | None
) -> tuple[str, float]:
    """The mode and its number; at most one of the options may be given."""
    chosen: list[tuple[str, float]] = []
    if sample is not None:
        chosen.append(("sample", sample))
    if every is not None:
        chosen.append(("sample_interval", spec.duration_s(every)))
    if first:
        chosen.append(("first", 0))
    if throttle is not None:
        chosen.append(("throttle", throttle))
    if len(chosen) > 1:
        raise spec.UsageError("Give only one of --sample, --every, --first and --throttle.")
    return chosen[0] if chosen else ("stream", 0)


def add(
    location: Annotated[
        str,
        typer.Argument(
            metavar="LOCATION",
            help="file.py:42, 'file.py:\"text on the line\"' or package.module:Class.method.",
        ),
    ],
    expressions: Annotated[
        list[str] | None, typer.Argument(metavar="EXPR", help="What to take at each hit.")
    ] = None,
    condition: Annotated[
        str, typer.Option("--if", metavar="EXPR", help="Record only when it is true.")
    ] = "",
    sample: Annotated[int | None, typer.Option(metavar="N", help="Every Nth hit.")] = None,
    every: Annotated[
        str | None, typer.Option(metavar="DURATION", help="One hit in this time, e.g. 5s.")
    ] = None,
    first: Annotated[bool, typer.Option("--first", help="The first hit only.")] = False,
    throttle: Annotated[
        float | None, typer.Option(metavar="N", help="At most N hits a second.")
    ] = None,
    max_hits: Annotated[
        int | None, typer.Option(metavar="N", help="Disarm after N records.")
    ] = None,
    for_: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="Time to live, or 'never'.")
    ] = "1h",
    snapshot: Annotated[bool, typer.Option("--snapshot", help="Take locals and stack.")] = False,
    trusted: Annotated[
        bool, typer.Option("--trusted", help="Any expression, also one that runs user code.")
    ] = False,
    allow_calls: Annotated[
        bool, typer.Option("--allow-calls", help="Let expressions read properties and __getattr__.")
    ] = False,
    name: Annotated[str, typer.Option(metavar="NAME", help="A name for the probe; unique.")] = "",
    node: Annotated[str, typer.Option(metavar="NAME", help="Only nodes of this name.")] = "",
    tree: Annotated[str, typer.Option(metavar="TREE", help="Only nodes of this tree.")] = "",
    pid: Annotated[int | None, typer.Option(metavar="PID", help="Only this process.")] = None,
    depth: Annotated[
        int | None, typer.Option(metavar="N", help="Levels of nesting captured. [default: 3]")
    ] = None,
    items: Annotated[
        int | None, typer.Option(metavar="N", help="Items of a container captured. [default: 100]")
    ] = None,
    chars: Annotated[
        int | None, typer.Option(metavar="N", help="Characters of a text captured. [default: 255]")
    ] = None,
    fields: Annotated[
        int | None, typer.Option(metavar="N", help="Fields of an object captured. [default: 20]")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(metavar="PERCENT", help="CPU it may cost; 0: no limit. [default: 1]"),
    ] = None,
    wake: Annotated[
        bool, typer.Option("--wake/--no-wake", help="Wake the nodes that it is for.")
    ] = True,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep a probe that can't be armed anywhere.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The probe as one JSON object.")] = False,
) -> None:
    """Put a probe on a line of running programs.

    Starts the daemon if none runs, wakes the sleeping nodes that the probe is for, and says for
    each node where it sits. A location in a module that isn't imported yet is pending, and armed
    by the import. One that can't be armed anywhere is removed again, with exit code 1.
    """
    mode, rate = _mode(sample, every, first, throttle)
    limits = {"max_depth": depth, "max_items": items, "max_chars": chars, "max_fields": fields}
    asked: dict[str, Any] = {
        "location": location,
        "expressions": expressions or [],
        "condition": condition,
        "mode": mode,
        "rate": rate,
        "max_hits": max_hits or 0,
        "ttl_s": spec.duration_s(for_),
        "snapshot": snapshot,
        "safety": "trusted" if trusted else "strict",
        "allow_calls": allow_calls,
        "limits": {key: number for key, number in limits.items() if number is not None},
        "target": {"tree": tree, "name": node, "pid": pid or 0},
        "name": name,
    }
    if budget is not None:
        asked["budget_percent"] = budget
    place(asked, wake=wake, keep=keep, as_json=as_json)


def place(asked: dict[str, Any], *, wake: bool, keep: bool, as_json: bool) -> None:
    """Add the probe, wake its nodes, wait for their word, report it."""
    settings = session.settings()
    target = Target(**asked["target"])
    client = session.started_daemon(settings)
    try:
        probe = client.add_probe(**asked)
        nodes = live.targeted(live.live_nodes(settings), target)
        failures = wake_for_probe(settings, client, nodes) if wake else {}
        awaited = awake_nodes(client, nodes) - set(failures)
        probe = await_outcome(client, probe["id"], awaited)
        results = outcome.results(probe, nodes, failures)
        if outcome.is_hopeless(results) and not keep:
            client.remove_probe(probe["id"])
    finally:
        client.close()
    if as_json:
        screen.print_json(probe)
    else:
        outcome.show(probe, results)
    if outcome.is_hopeless(results):
        raise ProbeError(
            f"{outcome.title(probe)} can't be armed in any node.",
            "It was kept." if keep else "It was removed again; --keep keeps it.",
            slug="probe-hopeless",
        )


def wake_for_probe(
    settings: Settings, client: DaemonClient, nodes: list[LiveNode]
) -> dict[str, str]:
    """Wake ``nodes``, and their trees with them; ``{node id: why it failed}``."""
    for tree in sorted({node.identity.tree for node in nodes}):
        client.set_tree(tree, awake=True)
    words = live.at_once(partial(live.wake, settings, daemon_url=client.url), nodes)
    return {node.identity.id: word for node, word in zip(nodes, words, strict=True) if word}


def awake_nodes(client: DaemonClient, nodes: list[LiveNode]) -> set[str]:
    """Ids of those of ``nodes`` that are linked to the daemon."""
    ours = {node.identity.id for node in nodes}
    return {node["id"] for node in client.nodes() if node.get("state") != "gone"} & ours


def await_outcome(client: DaemonClient, probe_id: str, awaited: set[str]) -> dict[str, Any]:
    """The probe, once each of the ``awaited`` nodes has said what became of it, or time is up."""
    deadline = time.monotonic() + REPORT_TIMEOUT_S
    while True:
        probe: dict[str, Any] = client.probe(probe_id)
        heard = {status["node"] for status in probe["nodes"] if status.get("state")}
        if awaited <= heard or time.monotonic() > deadline:
            return probe
        time.sleep(_POLL_S)
