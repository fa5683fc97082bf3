"""What a program pays that has treetap in it, asleep.

Start-up is measured on whole processes that take turns: a bare interpreter, one that imports treetap,
one that calls ``init()``, one under ``treetap run``; and scripts in an awake tree, to their first line, for a
probe is armed before that. Speed is measured in one process, with a sleeping
node and after ``shutdown()``, in turns.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.clock import Contender, Timing, interleave, ratio
from benchmarks.sample import Claim, sample
from benchmarks.shop import open_shop
from benchmarks.worker import Worker, serve

if TYPE_CHECKING:
    from benchmarks.setting import Setting

GROUP = "asleep"
_RESIDENT = "print(int(open('/proc/self/statm').read().split()[1]) * 4096 / 1e6)"
PROGRAMS = {
    "bare": "pass",
    "import": "import treetap",
    "init": "import treetap; treetap.init()",
}
#: Says when it has begun: the clock is shared by all processes of a machine.
SCRIPT = """\
def total(items, tax):
    result = sum(items)
    return result * tax

import time
print(time.time_ns())
"""


def measure(setting: Setting) -> list[Claim]:
    variables = _variables(setting)
    elapsed, resident = _start_up(setting, variables)
    began = _first_lines(setting)
    with Worker(
        f"benchmarks.claims.{GROUP}", str(setting.directory), variables=variables, core=1
    ) as worker:
        answer = worker.ask("speed", rounds=setting.rounds)
    measured = {name: [Timing(*timing) for timing in timings] for name, timings in answer.items()}
    return [
        Claim(
            GROUP,
            "a function's speed, asleep against without",
            ratio(measured, "asleep", "without"),
            "x",
            at_most=1.02,
        ),
        Claim(
            GROUP,
            "import treetap, over a bare interpreter",
            sample(_over(elapsed, "import")),
            "ms",
            at_most=15,
        ),
        Claim(
            GROUP,
            "import and init(), over a bare interpreter",
            sample(_over(elapsed, "init")),
            "ms",
            note="whole processes, start to end; caches warm",
        ),
        Claim(
            GROUP,
            "a child's start in a tapped tree, over one outside",
            sample(_over(elapsed, "child")),
            "ms",
            at_most=20,
        ),
        Claim(
            GROUP,
            "a child's first line in an awake tree, a probe for another file, over one outside",
            sample(_over(began, "awake", "outside")),
            "ms",
            at_most=20,
        ),
        Claim(
            GROUP,
            "a child's first line in an awake tree, a probe for its own script, over one outside",
            sample(_over(began, "probed", "outside")),
            "ms",
            at_most=20,
            note="the engine is loaded and the probe armed in it",
        ),
        Claim(
            GROUP,
            "memory after import and init()",
            sample(_over(resident, "init")),
            "MB",
            at_most=3,
        ),
        Claim(
            GROUP,
            "memory of a child in a tapped tree",
            sample(_over(resident, "child")),
            "MB",
            at_most=3,
        ),
    ]


def _variables(setting: Setting) -> dict[str, str]:
    home = setting.directory / "asleep"
    home.mkdir(mode=0o700, exist_ok=True)
    return {"TREETAP_HOME": str(home)}


def _start_up(
    setting: Setting, variables: dict[str, str]
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Milliseconds and megabytes of whole processes, which take turns."""
    environment = {**os.environ, **variables}
    in_tree = {**environment, **tree_variables(environment)}
    starts = {
        "bare": (PROGRAMS["bare"], environment),
        "import": (PROGRAMS["import"], environment),
        "init": (PROGRAMS["init"], environment),
        "child": (PROGRAMS["bare"], in_tree),
    }
    elapsed: dict[str, list[float]] = {name: [] for name in starts}
    resident: dict[str, list[float]] = {name: [] for name in starts}
    for number in range(3 * setting.rounds + 2):
        for name, (program, variables_of) in starts.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], env=variables_of, check=True)
            took_ms = (time.perf_counter() - began) * 1000
            if number < 2:
                continue  # these write the bytecode
            elapsed[name].append(took_ms)
            if number < 7:
                done = subprocess.run(
                    [sys.executable, "-c", f"{program}\n{_RESIDENT}"],
                    env=variables_of,
                    check=True,
                    capture_output=True,
                    text=True,
                )
                resident[name].append(float(done.stdout))
    return elapsed, resident


def _first_lines(setting: Setting) -> dict[str, list[float]]:
    """Milliseconds from the start of a process to the first line of its script, in turns."""
    script = setting.directory / "first_line.py"
    script.write_text(SCRIPT, encoding="utf-8")
    environments = {
        "outside": dict(os.environ),
        "awake": _awake_variables(setting.directory / "awake", "elsewhere.py:2"),
        "probed": _awake_variables(setting.directory / "probed", f"{script.name}:2"),
    }
    elapsed: dict[str, list[float]] = {name: [] for name in environments}
    for number in range(3 * setting.rounds + 2):
        for name, variables in environments.items():
            began_ns = time.time_ns()
            done = subprocess.run(
                [sys.executable, str(script)], env=variables, check=True, stdout=subprocess.PIPE
            )
            if number >= 2:  # as above
                elapsed[name].append((int(done.stdout) - began_ns) / 1e6)
    return elapsed


def _awake_variables(home: Path, location: str) -> dict[str, str]:
    """The environment of a process in an awake tree that has one probe; its daemon is away."""
    from treetap.model.location import parse_location
    from treetap.model.probe import Probe
    from treetap.node import launch
    from treetap.wire.message import probe_to_dict

    probe = Probe("p1", parse_location(location), ("sum(items)", "tax"))
    standing = home / "run" / "standing.json"
    for directory in (home, standing.parent):
        directory.mkdir(mode=0o700)
    tree = "12-ab"
    content = {"awake_trees": [tree], "link": {}, "url": "http://127.0.0.1:1"}
    standing.write_text(json.dumps({**content, "probes": [probe_to_dict(probe)]}), encoding="ascii")
    standing.chmod(0o600)
    return launch.environment(os.environ, home=str(home), tree=tree)


def tree_variables(environment: dict[str, str], *options: str) -> dict[str, str]:
    """What ``treetap run OPTIONS`` adds to the environment of the tree that it starts."""
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    done = subprocess.run(
        [sys.executable, "-m", "treetap.cli", "run", *options, "--", sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    given: dict[str, str] = json.loads(done.stdout)
    return {name: value for name, value in given.items() if environment.get(name) != value}


def _over(measured: dict[str, list[float]], name: str, basis: str = "bare") -> list[float]:
    return [one - other for one, other in zip(measured[name], measured[basis], strict=True)]


class Target:
    """The process whose speed is measured."""

    def __init__(self, directory: Path) -> None:
        self.shop = open_shop(directory)

    def speed(self, rounds: int) -> dict[str, Any]:
        import treetap

        contender = Contender("handle", self.shop.module.handle, self.shop.call())
        measured: dict[str, Any] = {"asleep": [], "without": []}
        for number in range(2 * rounds):
            # Each goes first as often as the other.
            for state in ("asleep", "without") if number % 2 else ("without", "asleep"):
                if state == "asleep":
                    treetap.init(name="benchmark")
                measured[state] += interleave([contender], rounds=1)["handle"]
                if state == "asleep":
                    treetap.shutdown()
        return measured


if __name__ == "__main__":
    target = Target(Path(sys.argv[1]))
    serve({"speed": target.speed})
