"""``treetap.compat.detrix`` with treetap's daemon: both sides are changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compat.detrix.conftest import PATIENCE
from tests.conftest import wait_until
from tests.detrix.conformance import BETTER, SAME, Row
from tests.detrix.observing import get, line_of, post, serving

CONFORMANCE = [
    Row(
        "Registration",
        "`treetap.compat.detrix`, in place of detrix-py",
        SAME,
        "The same program, with the facade: it registers, is observed, leaves, wakes again.",
        "test_a_program_with_the_facade_registers_is_observed_and_leaves",
    ),
    Row(
        "The client",
        '`init(debugger="probes")`',
        BETTER,
        "Not in detrix-py: values by treetap's probes, without a debug port.",
        "test_a_program_with_the_facade_registers_is_observed_and_leaves",
    ),
]

CLIENT = Path(__file__).with_name("client.py")
#: Runs the program with another ``detrix``.
INSTEAD = """
import runpy, sys
import treetap.compat.detrix
sys.modules["detrix"] = treetap.compat.detrix
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("facade") / "home") as found:
        yield found


@pytest.fixture
def tell(served, debugger):
    starter = f"import sys; sys.argv = sys.argv[1:]\n{INSTEAD}"
    program = subprocess.Popen(
        [sys.executable, "-Xfrozen_modules=off", "-c", starter, str(CLIENT), "shop", served.url],
        env={
            **os.environ,
            "TREETAP_HOME": str(served.home),
            "TREETAP_DEBUGGER": debugger,
            **PATIENCE,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def say(word):
        program.stdin.write(f"{word}\n")
        program.stdin.flush()
        said = program.stdout.readline()
        assert said, "the program has ended"
        return json.loads(said)

    yield say
    program.stdin.close()
    assert program.wait(60) == 0
    program.stdout.close()


@pytest.mark.parametrize("debugger", ["debugpy", "probes"])
def test_a_program_with_the_facade_registers_is_observed_and_leaves(served, tell, debugger):
    woken = tell("wake")
    assert woken["status"] == "awake"

    def own():
        found = [c for c in get(served.http, "connections") if c["pid"] == woken["pid"]]
        return found[0] if found and found[0]["status"] == 3 else None

    connection = wait_until(own)
    assert connection["name"] == "shop"
    assert connection["port"] == woken["debug_port"]
    if debugger == "debugpy":
        assert connection["connectionId"] == woken["connection_id"]
    asked = {
        "name": f"doubled-{debugger}",
        "connectionId": connection["connectionId"],
        "location": {"file": str(CLIENT), "line": line_of("# observed", CLIENT)},
        "expressions": ["doubled"],
        "language": "python",
        "enabled": True,
    }
    metric = post(served.http, "metrics", asked, 201)["metricId"]

    def armed():
        return get(served.http, f"metrics/{metric}")["state"] == "armed"

    def events():
        return get(served.http, "events", metricId=metric)

    wait_until(armed)
    tell("3")
    found = wait_until(lambda: len(events()) == 3 and events())
    assert sorted(event["values"][0]["valueJson"] for event in found) == ["0", "2", "4"]
    assert tell("sleep")["status"] == "sleeping"
    wait_until(lambda: own() is None)
    again = tell("wake")
    assert again["connection_id"] == woken["connection_id"]
    wait_until(armed)
    tell("1")
    wait_until(lambda: len(events()) == 4)
    tell("shutdown")
    wait_until(lambda: own() is None)
