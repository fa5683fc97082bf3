"""Nodes that don't answer, and roots that are no nodes."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

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

DAEMON = """
import multiprocessing, os, sys, time

numbers = range(3, 4096)
if sys.argv[1] == "closerange(3, 4096)":
    os.closerange(3, 4096)
else:
    for number in numbers if sys.argv[1] == "upwards" else reversed(numbers):
        try:
            os.close(number)
        except OSError:
            pass

def work():
    pass

def step(number):
    return number

readable, writable = os.pipe()
os.write(writable, b"precious")
with open("own.txt", "wb+") as file:
    for _ in range(3):
        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        child.join()
    time.sleep(0.3)  # whoever else reads or writes has had the time for it
    file.write(b"one line")
    file.seek(0)
    os.set_blocking(readable, False)
    print(os.read(readable, 100), file.read(), flush=True)
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


@pytest.mark.parametrize("way", ["closerange(3, 4096)", "upwards", "downwards"])
def test_one_that_closes_what_it_has_inherited_keeps_its_files_and_its_node(
    machine: Machine, way: str
):
    """As daemons do; the first files that it opens then have the lowest numbers that are free."""
    program = machine.program("steps.py", DAEMON)
    process = machine.start("run", "--", sys.executable, str(program), way)
    assert process.stdout.readline() == "b'precious' b'one line'\n"
    machine.wait_for_node(process.pid)
    machine.done("probe", "add", "steps.py:'return number'", "number")
    wait_until(lambda: len(machine.events()) > 1, 20)
    assert f"steps.py ({process.pid})" in machine.done("dump")
    assert process.poll() is None


def test_standard_streams_that_are_closed_are_the_programs_matter(machine: Machine):
    told = machine.folder / "told.txt"
    program = machine.program(
        "closed.py",
        """
        import os, sys
        closed = []
        for number in range(3):
            try:
                os.fstat(number)
            except OSError:
                closed.append(number)
        with open(sys.argv[1], "w") as file:
            print(closed, file=file)
        """,
    )
    command = [sys.executable, "-m", "treetap.cli", "run", "--", sys.executable, program, told]
    for redirections, closed in ((">&-", [1]), ("2>&-", [2]), ("<&- >&- 2>&-", [0, 1, 2])):
        shell = f"exec {shlex.join(map(str, command))} {redirections}"
        done = subprocess.run(["sh", "-c", shell], env=machine.environment, timeout=60)
        assert done.returncode == 0
        assert told.read_text() == f"{closed}\n"


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
