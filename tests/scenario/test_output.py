"""Colours and columns for terminals, plain lines for pipes, JSON for programs."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys

import pytest

from tests.conftest import wait_until
from tests.scenario.conftest import Machine

ESCAPE = "\x1b"
PROGRAM = """
import time

def step(number):
    text = f"é{number}\\n\\x1b[2J"
    return text

number = 0
print("running")
while True:
    number += 1
    step(number)
    time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def running(shared_machine: Machine) -> Machine:
    machine = shared_machine
    program = machine.program("steps.py", PROGRAM)
    process = machine.start("run", "--", sys.executable, str(program))
    assert process.stdout.readline() == "running\n"
    machine.wait_for_node(process.pid)
    machine.done("probe", "add", "steps.py:5", "number", "text")
    wait_until(machine.events, 20)
    return machine


def on_terminal(machine: Machine, *arguments: str) -> str:
    """What a command writes to a real terminal of 100 columns."""
    ours, theirs = pty.openpty()
    environment = {**machine.environment, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "treetap.cli", *arguments],
        env=environment, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
    )  # fmt: skip
    os.close(theirs)
    written = b""
    with contextlib.suppress(OSError):  # EIO: the other side is closed
        while chunk := os.read(ours, 65536):
            written += chunk
    os.close(ours)
    assert process.wait(20) == 0
    return written.decode()


COMMANDS = (
    ["ps"], ["probe", "list"], ["probe", "show", "p1"], ["events", "--limit", "3"], ["status"], ["doctor"],
)  # fmt: skip


def test_piped_output_has_no_escape_codes_and_is_not_cut(running: Machine):
    for command in COMMANDS:
        assert ESCAPE not in running.done(*command), command
    assert "steps.py:5" in running.done("events", "--limit", "3")


def test_a_terminal_gets_colours(running: Machine):
    for command in (["ps"], ["probe", "list"], ["events", "--limit", "3"]):
        assert f"{ESCAPE}[" in on_terminal(running, *command), command


def test_a_value_can_not_write_escape_codes_to_the_terminal(running: Machine):
    assert f"{ESCAPE}[2J" not in on_terminal(running, "events", "--limit", "3")


@pytest.mark.parametrize(
    "command",
    [["ps"], ["probe", "list"], ["probe", "show", "p1"], ["events", "--limit", "5"], ["status"], ["doctor"],
     ["daemon", "status"]],
    ids=" ".join,
)  # fmt: skip
def test_json_is_one_object_a_line(running: Machine, command: list[str]):
    lines = running.done(*command, "--json").splitlines()
    assert lines
    assert all(isinstance(json.loads(line), dict) and line.isascii() for line in lines)


def test_a_piped_tail_writes_each_event_at_once_and_plain(running: Machine):
    tail = running.start("tail", "--last", "2")
    line = tail.stdout.readline()
    assert "steps.py[" in line
    assert "number=" in line
    assert ESCAPE not in line
