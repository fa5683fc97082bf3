"""Children, however they are started, are nodes of their own and have the tree's probes."""

from __future__ import annotations

import json
import sys

import pytest

from tests.conftest import wait_until
from tests.scenario.conftest import Machine

MULTIPROCESSING = """
import multiprocessing, os, sys

def work(number):
    total = number * 10
    return os.getpid(), total

def child(number, answers):
    answers.put(work(number))

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    answers = context.Queue()
    children = [context.Process(target=child, args=(number, answers)) for number in range(2)]
    for process in children:
        process.start()
    found = [answers.get(timeout=30) for _ in children]
    found.append(work(7))
    for process in children:
        process.join()
    import json
    print(json.dumps(found))
"""

SUBPROCESS = """
import subprocess, sys

found = []
for number in range(2):
    child = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} {sys.argv[1]} {number}; exit 0"],
        stdout=subprocess.PIPE, text=True, check=True,
    )
    found.append(child.stdout.strip())
print("[" + ", ".join(found) + "]")
"""

CHILD = """
import json, os, sys

def work(number):
    total = number * 10
    return os.getpid(), total

print(json.dumps(work(int(sys.argv[1]))))
"""


def values_by_pid(machine: Machine) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for event in machine.events():
        found.setdefault(event["pid"], []).append(event["values"]["total"])
    return found


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.timeout(120)
def test_a_multiprocessing_child_has_the_probe_from_its_first_line(machine: Machine, method: str):
    program = machine.program("pool.py", MULTIPROCESSING)
    done = machine.treetap(
        "run", "--probe", "pool.py:5 total number", "--", sys.executable, str(program), method
    )
    assert (done.returncode, done.stderr) == (0, "")
    expected = {pid: [total] for pid, total in json.loads(done.stdout)}
    assert len(expected) == 3
    assert (
        wait_until(lambda: (found := values_by_pid(machine)) == expected and found, 20) == expected
    )


@pytest.mark.timeout(120)
def test_a_python_child_behind_a_shell_has_the_probe_from_its_first_line(machine: Machine):
    parent = machine.program("parent.py", SUBPROCESS)
    child = machine.program("child.py", CHILD)
    done = machine.treetap(
        "run", "--probe", "child.py:5", "total", "--", sys.executable, str(parent), str(child)
    )
    assert (done.returncode, done.stderr) == (0, "")
    expected = {pid: [total] for pid, total in json.loads(done.stdout)}
    assert (
        wait_until(lambda: (found := values_by_pid(machine)) == expected and found, 20) == expected
    )


def test_children_are_drawn_below_their_parent(machine: Machine):
    child = machine.program("child.py", "input()\n")
    parent = machine.program(
        "parent.py",
        """
        import subprocess, sys
        subprocess.run([sys.executable, sys.argv[1]])
        """,
    )
    process = machine.start("run", "--", sys.executable, str(parent), str(child))
    nodes = wait_until(lambda: len(found := machine.nodes()) == 2 and found, 20)
    (below,) = (node for node in nodes.values() if node["pid"] != process.pid)
    assert below["parent"] == nodes[process.pid]["id"]
    lines = machine.done("ps").splitlines()
    assert lines[1].startswith("parent.py ")
    assert lines[2].startswith("└─ child.py ")
