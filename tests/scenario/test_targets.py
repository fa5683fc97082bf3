"""A program that knows nothing of treetap, observed by commands through debugpy."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import wait_until

PROGRAM = Path(__file__).parents[1] / "daemon" / "observed.py"


class Program:
    """``observed.py``, which does what it is told on a port that debugpy has chosen."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-Xfrozen_modules=off", str(PROGRAM), "0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = self._process.stdout.readline().strip()
        self.pid = self._process.pid

    def work(self, words: str) -> None:
        self._process.stdin.write(f"{words}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def close(self) -> int:
        self._process.communicate(timeout=60)
        return self._process.returncode


@pytest.fixture
def program():
    program = Program()
    yield program
    assert program.close() == 0


def test_a_program_behind_debugpy_is_observed_and_runs_on_when_it_is_let_go(machine, program):
    target = json.loads(machine.done("target", "add", program.port, "--name", "shop", "--json"))
    assert (target["state"], target["pid"]) == ("connected", program.pid)
    (listed,) = machine.objects("target", "list", "--json")
    assert listed["id"] == target["id"]

    place = 'observed.py:"return label, order, parts"'
    machine.done("probe", "add", place, "label", "number", "--tree", target["tree"])
    wait_until(lambda: [node["state"] for node in machine.probe("p1")["nodes"]] == ["armed"])
    program.work("3*7")
    wait_until(lambda: len(machine.events("p1")) == 3)
    assert machine.events("p1")[0]["values"] == {"label": "order 7", "number": 7}

    assert machine.done("target", "remove", "shop") == f"{target['id']} let go\n"
    program.work("8")
    assert "disconnected" in machine.done("target", "list")
    assert machine.done("target", "remove", "--over") == "1 forgotten\n"
    assert len(machine.events("p1")) == 3


def test_a_port_where_nobody_is_is_told_with_the_way_out(machine):
    with socket.socket() as nobody:
        # Bound, so that nobody else can listen there.
        nobody.bind(("127.0.0.1", 0))
        failed = machine.treetap("target", "add", str(nobody.getsockname()[1]))
    assert failed.returncode == 1
    assert "No debug adapter" in failed.stdout
    assert machine.treetap("target", "remove", "nobody").returncode == 4
