"""What happens in the demo, in order, and whether it went as it must."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from treetap.cli import live, outcome, probe_add, screen
from treetap.cli.demo import cost
from treetap.cli.demo.show import Watch
from treetap.cli.demo.stage import Stage
from treetap.cli.demo.traffic import Traffic, break_off

if TYPE_CHECKING:
    from collections.abc import Callable

    from treetap.client import DaemonClient


class Wanted(NamedTuple):
    """A probe of the demo."""

    name: str
    location: str
    expressions: tuple[str, ...]
    condition: str = ""


_DO_GET = "http.server:SimpleHTTPRequestHandler.do_GET"
PROBES = (
    Wanted("get", _DO_GET, ("self.path", "self.command")),
    Wanted("file", 'http/server.py:"fs = os.fstat(f.fileno())"', ("ctype", "path")),
    Wanted(
        "failure",
        "http.server:BaseHTTPRequestHandler.send_response",
        ("code", "self.path"),
        "code >= 400",
    ),
    Wanted("thread", "socketserver:ThreadingMixIn.process_request_thread", ("client_address",)),
)
NEVER_TRUE = Wanted("never", _DO_GET, ("self.path",), "self.command == 'DELETE'")
#: ``socketserver`` imports ``traceback`` when a connection breaks, and not before.
PENDING = Wanted("later", "traceback:print_exc", ("limit", "chain"))

_WAIT_S = 8.0
_POLL_S = 0.02


def tell(seconds: float) -> bool:
    """Run the demo; whether values arrived and sleep left nothing."""
    _say(
        "A web server, python -m http.server, started by treetap run; a daemon and a home of its own."
    )
    with Stage() as stage:
        identity = stage.node.identity
        threads_before = _threads(identity.pid)
        print(
            f"It serves on port {stage.port} as pid {identity.pid}, asleep: {_state(stage)['state']}."
        )
        arrived = _act_values(stage, seconds)
        quiet = _act_false_condition(stage)
        _act_pending(stage)
        left = _act_sleep(stage, threads_before)
    _say("What each costs, measured in this process:")
    costs = cost.measure()
    _show_costs(costs)
    complaints = [*arrived, *quiet, *left]
    for complaint in complaints:
        screen.complain(f"treetap demo: {complaint}")
    print(
        "\nThe server, the daemon and the home are gone."
        + ("" if complaints else " All went as it must.")
    )
    return not complaints


def _act_values(stage: Stage, seconds: float) -> list[str]:
    _say("Four probes on its lines, one with a condition; requests come in:")
    added = [_add(stage, wanted) for wanted in PROBES]
    with Watch(stage.client) as watch, Traffic(stage.port) as traffic:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(_POLL_S)
        _until(lambda: all(watch.hits[each["id"]] for each in added))
    print(
        f"{traffic.answers} requests answered, {watch.hits.total()} values shown, {watch.lost} lost."
    )
    return [
        f"no value of {outcome.title(each)} arrived" for each in added if not watch.hits[each["id"]]
    ] + ([] if traffic.answers else ["the server answered no request"])


def _act_false_condition(stage: Stage) -> list[str]:
    _say("A probe whose condition is never true counts hits, and records nothing:")
    added = _add(stage, NEVER_TRUE)
    with Traffic(stage.port):
        found = _until(lambda: _with_hits(stage.client, added["id"]))
    if not found:
        return ["the probe with the false condition saw no hit"]
    print(f"  {found['hits']} hits, {found['recorded']} recorded.")
    return ["a false condition recorded a value"] if found["recorded"] else []


def _act_pending(stage: Stage) -> None:
    _say("A probe in a module that isn't imported yet is pending:")
    added = _add(stage, PENDING)
    if _status_of(added).get("state") != "pending":
        return
    break_off(stage.port)
    armed = _until(lambda: _armed(stage.client, added["id"]))
    if not armed:
        print("  still pending: nothing imported it.")
        return
    print(
        "  A client broke off; the server imported traceback to report it, and the probe was armed by the import:"
    )
    _print_status(armed)
    record = _until(lambda: stage.client.events(probe=added["id"], limit=1)["events"])
    if record:
        from treetap.cli.feed import EventLines

        print(f"  {EventLines(is_cut=True).line(record[0]).plain}")


def _act_sleep(stage: Stage, threads_before: int) -> list[str]:
    _say("Asleep again:")
    stage.client.set_tree(stage.node.identity.tree, awake=False)
    failure = live.sleep(stage.settings, stage.node)
    if failure:
        return [f"sleep failed: {failure}"]
    state = _state(stage)
    # Threads of requests may still be ending; those of ours must be gone.
    _until(lambda: _threads(stage.node.identity.pid) <= threads_before)
    threads = _threads(stage.node.identity.pid)
    print(
        f"  the server is {state['state']}; threads: {threads}, before the first wake: {threads_before}."
    )
    complaints = []
    if state["state"] != "sleeping":
        complaints.append(f"after sleep the node is {state['state']}")
    if state.get("probes"):
        complaints.append("after sleep the node still has probes")
    if threads > threads_before:
        complaints.append(
            f"after sleep the server has {threads} threads instead of {threads_before}"
        )
    return complaints


def _add(stage: Stage, wanted: Wanted) -> dict[str, Any]:
    probe = stage.client.add_probe(**wanted._asdict())
    probe_add.wake_for_probe(stage.settings, stage.client, [stage.node])
    probe = probe_add.await_outcome(stage.client, probe["id"], {stage.node.identity.id})
    when = f" if {wanted.condition}" if wanted.condition else ""
    print(f"  {outcome.title(probe)}{when} takes {', '.join(wanted.expressions)}")
    _print_status(_status_of(probe))
    return dict(probe)


def _print_status(status: dict[str, Any]) -> None:
    lines = outcome.status_lines(status)
    print(screen.plain(f"    {status.get('state', 'no word')}: {'; '.join(lines)}"))


def _status_of(probe: dict[str, Any]) -> dict[str, Any]:
    return dict(probe["nodes"][0]) if probe["nodes"] else {}


def _with_hits(client: DaemonClient, probe_id: str) -> dict[str, Any] | None:
    probe = client.probe(probe_id)
    return probe if probe.get("hits") else None


def _armed(client: DaemonClient, probe_id: str) -> dict[str, Any] | None:
    status = _status_of(client.probe(probe_id))
    return status if status.get("state") == "armed" else None


def _state(stage: Stage) -> dict[str, Any]:
    states = live.states(stage.settings, [stage.node])
    return states[stage.node.identity.id]


def _threads(pid: int) -> int:
    """Threads of a process; 0 where the system doesn't say."""
    tasks = Path(f"/proc/{pid}/task")
    return sum(1 for _ in tasks.iterdir()) if tasks.is_dir() else 0


def _until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + _WAIT_S
    while True:
        found = condition()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(_POLL_S)


def _show_costs(costs: list[cost.Cost]) -> None:
    logging_ns = costs[0].added_ns
    rows = [
        (
            each.what,
            f"{each.added_ns:,.0f} ns",
            f"{each.added_ns / logging_ns:.3f}" if logging_ns > 0 else "",
        )
        for each in costs
    ]
    screen.print_table(("WAY", "ADDED A HIT>", "OF LOGGING>"), rows)


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)
