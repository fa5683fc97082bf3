"""What became of a probe in each node, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from treetap.cli import screen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treetap.node.registry import LiveNode


class Result(NamedTuple):
    """A probe in one node; ``lines`` say it at length."""

    who: str
    state: str
    lines: list[str]


def results(
    probe: Mapping[str, Any], nodes: list[LiveNode], failures: Mapping[str, str]
) -> list[Result]:
    """One result a node: what it reported, or why it couldn't be woken, or that it sleeps."""
    found = [_of_status(status) for status in probe["nodes"]]
    heard = {status["node"] for status in probe["nodes"]}
    for node in nodes:
        who = f"{node.identity.name} {node.identity.pid}"
        if node.identity.id in failures:
            found.append(Result(who, "not awake", [failures[node.identity.id]]))
        elif node.identity.id not in heard:
            found.append(Result(who, "no word", ["asleep, or still arming: treetap probe show"]))
    return found


def _of_status(status: Mapping[str, Any]) -> Result:
    who = f"{status.get('name') or '?'} {status.get('pid') or ''}".rstrip()
    state = str(status.get("state") or "?")
    return Result(who, state, status_lines(status))


def status_lines(status: Mapping[str, Any]) -> list[str]:
    """Where it sits, by which engine and why; or the error with its way out."""
    if status.get("error"):
        slug, what, hint = (*status["error"], "", "", "")[:3]
        return [what, *hint.splitlines(), f"[{slug}]"]
    lines = list(status.get("sites") or ())
    if status.get("engine"):
        why = f": {status['why']}" if status.get("why") else ""
        lines.append(f"{status['engine']}{why}")
    elif status.get("why"):
        lines.append(str(status["why"]))
    if status.get("differs"):
        lines.append("the file on disk is not the code that runs: it was edited since the import")
    return lines


def is_hopeless(found: list[Result]) -> bool:
    """Whether the probe failed wherever it was tried, and waits nowhere."""
    states = {result.state for result in found}
    return "failed" in states and not states & {"armed", "pending", "done", "no word"}


def show(probe: Mapping[str, Any], found: list[Result]) -> None:
    """Write the outcome: the probe, then a block a node."""
    from rich.text import Text

    out = screen.console()
    out.print(Text(screen.plain(f"{title(probe)} takes {takes(probe)}"), style="bold"))
    if not found:
        out.print("  no live node yet: it is armed in the ones that wake from now on")
    for result in found:
        line = Text("  ")
        line.append(f"{screen.plain(result.who)}  ")
        line.append(result.state, style=screen.STATE_STYLES.get(result.state, ""))
        out.print(line)
        for detail in result.lines:
            out.print(Text(f"    {screen.plain(detail)}"))


def takes(probe: Mapping[str, Any]) -> str:
    """What it takes at each hit."""
    return ", ".join([*probe["expressions"], *(["a snapshot"] if probe.get("snapshot") else [])])


def title(probe: Mapping[str, Any]) -> str:
    """Its id, its name if it has one, its place."""
    named = f" ({probe['name']})" if probe.get("name") else ""
    return f"{probe['id']}{named} {probe['location']}"
