"""Nodes that don't answer, and roots that are no nodes."""

from __future__ import annotations

import os
import signal
import sys
import time

from tests.conftest import wait_until
from tests.scenario.conftest import Machine

PROGRAM = """
import time

def step(number):
    return number

print("running")
while True:
    time.sleep(0.05)
    step(1)
"""


def test_a_stopped_process_holds_up_nobody(machine: Machine):
    program = machine.program("steps.py", PROGRAM)
    stopped, running = (machine.start("run", "--", sys.executable, str(program)) for _ in range(2))
    for process in (stopped, running):
        assert process.stdout.readline() == "running\n"
        machine.wait_for_node(process.pid)
    os.kill(stopped.pid, signal.SIGSTOP)
    try:
        shown = machine.done("ps").splitlines()
        assert any(f" {stopped.pid} " in line and "no answer" in line for line in shown)
        added = machine.done("probe", "add", "steps.py:4", "number")
        assert f"steps.py {running.pid}  armed" in added
        assert f"steps.py {stopped.pid}  not awake" in added
    finally:
        os.kill(stopped.pid, signal.SIGCONT)
    wait_until(machine.events, 20)


def test_a_root_that_is_no_python_is_shown_with_the_nodes_below_it(machine: Machine):
    program = machine.program("steps.py", PROGRAM)
    shell = machine.start("run", "--", "/bin/sh", "-c", f"{sys.executable} {program}; exit 3")
    assert shell.stdout.readline() == "running\n"
    wait_until(machine.nodes, 20)
    lines = machine.done("ps").splitlines()
    assert lines[1].startswith(f"tree {shell.pid}-")
    assert "no node" in lines[1]
    assert lines[2].startswith("└─ steps.py ")


def test_an_idle_probe_costs_next_to_nothing(machine: Machine):
    program = machine.program(
        "idle.py",
        "import time\ndef step(number):\n    return number\nprint('idle')\ntime.sleep(60)\n",
    )
    process = machine.start("run", "--", sys.executable, str(program))
    assert process.stdout.readline() == "idle\n"
    machine.wait_for_node(process.pid)
    assert "armed" in machine.done("probe", "add", "idle.py:3", "number")
    time.sleep(2)  # what a new probe costs at first is not what is measured
    before_s, began = cpu_s(process.pid), time.monotonic()
    time.sleep(3)
    assert (cpu_s(process.pid) - before_s) / (time.monotonic() - began) < 0.06


def cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
