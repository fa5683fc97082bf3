"""``treetap probe add``: a probe, the nodes woken for it, and what became of it in each."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from treetap.cli import live, outcome, screen, session, spec
from treetap.cli import probe_options as option
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

#: How long to wait for the nodes to say what became of the probe; not for those that don't answer at all.
REPORT_TIMEOUT_S = 5.0
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
    mode, rate = chosen[0] if chosen else ("stream", 0)
    if mode in ("sample_interval", "throttle") and rate <= 0:
        raise spec.UsageError("--every and --throttle take more than 0.")
    return mode, rate


def add(
    location: option.Location,
    expressions: option.Expressions = None,
    condition: option.Condition = "",
    sample: option.Sample = None,
    every: option.Every = None,
    first: option.First = False,
    throttle: option.Throttle = None,
    max_hits: option.MaxHits = None,
    time_to_live: option.TimeToLive = "1h",
    snapshot: option.Snapshot = False,
    trusted: option.Trusted = False,
    allow_calls: option.AllowCalls = False,
    name: option.Name = "",
    group: option.Group = "",
    node: option.NodeName = "",
    tree: option.Tree = "",
    pid: option.Pid = None,
    depth: option.Depth = None,
    items: option.Items = None,
    chars: option.Chars = None,
    fields: option.Fields = None,
    budget: option.Budget = None,
    wake: option.Wake = True,
    keep: option.Keep = False,
    as_json: option.AsJson = False,
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
        "ttl_s": spec.duration_s(time_to_live),
        "snapshot": snapshot,
        "safety": "trusted" if trusted else "strict",
        "allow_calls": allow_calls,
        "limits": {key: number for key, number in limits.items() if number is not None},
        "target": {"tree": tree, "name": node, "pid": pid or 0},
        "name": name,
        "group": group,
        **({} if budget is None else {"budget_percent": budget}),
    }
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
        awaited = awake_nodes(client, target) - set(failures)
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
    """Wake ``nodes``, and their trees with them; ``{node id: why it failed}``.

    One that doesn't answer a simple question (it may be stopped) isn't waited for any longer.
    """
    for tree in sorted({node.identity.tree for node in nodes}):
        client.set_tree(tree, awake=True)
    states = live.states(settings, nodes)
    failures = {
        node.identity.id: str(states[node.identity.id].get("error", ""))
        for node in nodes
        if states[node.identity.id]["state"] == live.NO_ANSWER
    }
    answering = [node for node in nodes if node.identity.id not in failures]
    words = live.at_once(partial(live.wake, settings, daemon_url=client.url), answering)
    woken = zip(answering, words, strict=True)
    return failures | {node.identity.id: word for node, word in woken if word}


def awake_nodes(client: DaemonClient, target: Target) -> set[str]:
    """Ids of the nodes that the daemon has, and that a probe of this target is for.

    Not only those of this machine that have a treetap in them.
    """
    return {
        node["id"]
        for node in client.nodes()
        if node.get("state") != "gone"
        and target.matches(tree=node["tree"], name=node["name"], pid=node["pid"])
    }


def await_outcome(client: DaemonClient, probe_id: str, awaited: set[str]) -> dict[str, Any]:
    """The probe, once each of the ``awaited`` nodes has said what became of it, or time is up."""
    deadline = time.monotonic() + REPORT_TIMEOUT_S
    while True:
        probe: dict[str, Any] = client.probe(probe_id)
        heard = {status["node"] for status in probe["nodes"] if status.get("state")}
        if awaited <= heard or time.monotonic() > deadline:
            return probe
        time.sleep(_POLL_S)
