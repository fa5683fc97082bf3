"""``treetap probe list|show|remove|enable|disable``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treetap.cli import outcome, screen, session, spec

if TYPE_CHECKING:
    from collections.abc import Mapping

LIST_EPILOG = """\b
Examples:
  treetap probe list
  treetap probe list --json | jq -r .id
"""
SHOW_EPILOG = """\b
Examples:
  treetap probe show p3
"""
REMOVE_EPILOG = """\b
Examples:
  treetap probe remove p3 p4
  treetap probe remove --all
"""
SWITCH_EPILOG = """\b
Examples:
  treetap probe disable p3
  treetap probe enable p3
"""

Names = Annotated[list[str], typer.Argument(metavar="PROBE", help="Its id or name.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a probe and line.")]

_LIST_HEADERS = (
    "PROBE",
    "LOCATION",
    "TAKES",
    "STATE",
    "HITS>",
    "RECORDED>",
    "SKIPPED",
    "LOST>",
    "ENDS>",
)
_NODE_HEADERS = ("NODE", "PID>", "STATE", "ENGINE", "HITS>", "RECORDED>", "SKIPPED", "LOST>")


def list_(as_json: AsJson = False) -> None:
    """List the probes with their hits, records, skips and losses."""
    probes = _fetched(lambda client: client.probes())
    if as_json:
        for probe in probes:
            screen.print_json(probe)
    elif probes:
        screen.print_table(_LIST_HEADERS, [_list_row(probe) for probe in probes])
    else:
        screen.complain("No probe. Add one: treetap probe add LOCATION EXPR...")


def show(
    probe: Annotated[str, typer.Argument(metavar="PROBE", help="Its id or name.")],
    as_json: AsJson = False,
) -> None:
    """Show a probe: what it asks for, and how it fares in each node."""
    found = _fetched(lambda client: client.probe(probe))
    if as_json:
        screen.print_json(found)
        return
    print(screen.plain(outcome.title(found)))
    for label, text in _facts(found):
        print(f"  {label:<12}{screen.plain(text)}")
    statuses = found["nodes"]
    if not statuses:
        last = found.get("last_node")
        print(f"  in no node at present{'; in the last one:' if last else ''}")
        if not last:
            return
        statuses = [last]
    print()
    screen.print_table(_NODE_HEADERS, [_node_row(status) for status in statuses])
    for status in statuses:
        print(screen.plain(f"\n{_who(status)}".lstrip("\n")))
        for line in outcome.status_lines(status):
            print(f"  {screen.plain(line)}")


def remove(
    probe: Annotated[
        list[str] | None, typer.Argument(metavar="PROBE", help="Its id or name.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every probe.")] = False,
) -> None:
    """Remove probes; their events stay."""
    if every == bool(probe):
        raise spec.UsageError("Name the probes, or say --all.")

    def removed(client: Any) -> list[str]:
        names = [each["id"] for each in client.probes()] if every else list(probe or ())
        for name in names:
            client.remove_probe(name)
        return names

    for name in _fetched(removed):
        print(f"{name} removed")


def enable(probe: Names) -> None:
    """Arm disabled probes again."""
    _fetched(lambda client: [client.enable_probe(name) for name in probe])
    for name in probe:
        print(f"{name} enabled")


def disable(probe: Names) -> None:
    """Disarm probes, and keep them."""
    _fetched(lambda client: [client.disable_probe(name) for name in probe])
    for name in probe:
        print(f"{name} disabled")


def _fetched(ask: Any) -> Any:
    client = session.required_daemon(session.settings())
    try:
        return ask(client)
    finally:
        client.close()


def _list_row(probe: Mapping[str, Any]) -> tuple[Any, ...]:
    named = f"{probe['id']} {probe['name']}" if probe.get("name") else probe["id"]
    if probe.get("group"):
        named += f" ({probe['group']})"
    return (
        named,
        probe["location"],
        outcome.takes(probe),
        _states(probe),
        str(probe.get("hits", 0)),
        str(probe.get("recorded", 0)),
        skipped_text(probe.get("skipped") or {}),
        str(probe.get("lost", 0)),
        ends_text(probe),
    )


def _node_row(status: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        status.get("name") or status["node"],
        str(status.get("pid", "")),
        screen.state_text(str(status.get("state", "?"))),
        status.get("engine", ""),
        str(status.get("hits", 0)),
        str(status.get("recorded", 0)),
        skipped_text(status.get("skipped") or {}),
        str(status.get("lost", 0)),
    )


def _who(status: Mapping[str, Any]) -> str:
    return f"{status.get('name') or status['node']} {status.get('pid', '')}"


def _states(probe: Mapping[str, Any]) -> Any:
    """``"armed 3, pending 1"``; a single state alone is coloured."""
    if not probe.get("is_enabled", True):
        return screen.state_text("disabled")
    counts: dict[str, int] = {}
    for status in probe["nodes"]:
        state = str(status.get("state") or "?")
        counts[state] = counts.get(state, 0) + 1
    if not counts:
        if ends_text(probe) == "ended":
            return "ended"
        last = probe.get("last_node") or {}
        # Else nobody would look for the reason why it has no hit.
        return "failed, gone" if last.get("state") == "failed" else "no node"
    if len(counts) == 1 and sum(counts.values()) == 1:
        return screen.state_text(next(iter(counts)))
    return ", ".join(f"{state} {count}" for state, count in sorted(counts.items()))


def skipped_text(skipped: Mapping[str, int]) -> str:
    """``"condition 120, throttle 3"``, or ``"0"``."""
    return ", ".join(f"{reason} {count}" for reason, count in skipped.items() if count) or "0"


def ends_text(probe: Mapping[str, Any]) -> str:
    """In how long the probe ends by itself."""
    expires_at = probe.get("expires_at") or 0
    if not expires_at:
        return "never"
    left_s = float(expires_at) - time.time()
    return screen.duration_text(left_s) if left_s > 0 else "ended"


def _facts(probe: Mapping[str, Any]) -> list[tuple[str, str]]:
    rate = f" {probe['rate']:g}" if probe.get("rate") else ""
    target = {key: value for key, value in (probe.get("target") or {}).items() if value}
    facts = [
        ("takes", outcome.takes(probe)),
        ("if", probe.get("condition") or ""),
        ("mode", f"{probe.get('mode', 'stream')}{rate}"),
        ("max hits", str(probe.get("max_hits") or "")),
        (
            "safety",
            str(probe.get("safety", "")) + (", calls allowed" if probe.get("allow_calls") else ""),
        ),
        ("for", ", ".join(f"{key} {value}" for key, value in target.items()) or "every node"),
        ("group", probe.get("group") or ""),
        ("ends in", ends_text(probe)),
        ("state", "enabled" if probe.get("is_enabled", True) else "disabled"),
    ]
    return [(label, text) for label, text in facts if text]
