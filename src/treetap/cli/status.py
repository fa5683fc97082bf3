"""``treetap status``: the daemon and the nodes, on half a screen."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from treetap.cli import live, ps, screen, session

EPILOG = """\b
Examples:
  treetap status
  treetap status --json
"""


def status(
    as_json: Annotated[
        bool, typer.Option("--json", help="Everything, as one JSON object.")
    ] = False,
) -> None:
    """Show the daemon, the nodes and the probes at a glance."""
    settings = session.settings()
    nodes = live.live_nodes(settings)
    states = live.states(settings, nodes)
    client = session.running_daemon(settings)
    daemon: dict[str, Any] | None = None
    probes: list[dict[str, Any]] = []
    if client is not None:
        try:
            daemon = {"url": client.url, **client.status()}
            probes = client.probes()
        finally:
            client.close()
    if as_json:
        screen.print_json(
            {"home": str(settings.home), "daemon": daemon, "nodes": states, "probes": probes}
        )
        return
    for label, text in _lines(str(settings.home), daemon, states, probes):
        print(f"{label:<8}{screen.plain(text)}")


def _lines(
    home: str,
    daemon: dict[str, Any] | None,
    states: dict[str, dict[str, Any]],
    probes: list[dict[str, Any]],
) -> list[tuple[str, str]]:
    by_state = Counter(str(status.get("state", "?")) for status in states.values())
    nodes = ", ".join(f"{count} {state}" for state, count in sorted(by_state.items()))
    armed = sum(ps.armed_count(status) for status in states.values())
    recorded = sum(int(probe.get("recorded") or 0) for probe in probes)
    lost = sum(int(probe.get("lost") or 0) for probe in probes)
    runs = (
        f"pid {daemon.get('pid')}, {daemon['url']}, up "
        f"{screen.duration_text(float(daemon.get('uptime_s') or 0))}"
        if daemon
        else "none runs; it is started when needed"
    )
    return [
        ("home", home),
        ("daemon", runs),
        ("nodes", f"{len(states)}" + (f": {nodes}" if nodes else "")),
        ("probes", f"{len(probes)}, armed {armed} times, {recorded} records, {lost} lost"),
    ]
