"""A daemon that dies costs the program nothing; after its return everything is back by itself."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading

from tests.conftest import wait_until
from tests.scenario.conftest import Machine

PROGRAM = """
import time

def step(number):
    doubled = number * 2
    return doubled

number = 0
print("running")
while True:
    number += 1
    step(number)
    time.sleep(0.01)
"""


class Lines:
    """Lines of a stream, read by a thread, so that a test can wait for one with a deadline."""

    def __init__(self, stream) -> None:
        self.seen: list[str] = []
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream) -> None:
        for line in stream:
            self.seen.append(line)


def test_a_killed_daemon_comes_back_and_the_node_and_the_tail_with_it(machine: Machine):
    program = machine.program("steps.py", PROGRAM)
    process = machine.start("run", "--", sys.executable, str(program))
    assert process.stdout.readline() == "running\n"
    machine.wait_for_node(process.pid)
    machine.done("probe", "add", "steps.py:5", "number", "doubled")
    tail = machine.start("tail", "--json")
    values, said = Lines(tail.stdout), Lines(tail.stderr)
    wait_until(lambda: len(values.seen) >= 3, 20)

    os.kill(machine.daemon_pid(), signal.SIGKILL)
    wait_until(lambda: any("the daemon is gone" in line for line in said.seen), 20)
    assert process.poll() is None
    machine.done("daemon", "start")
    wait_until(lambda: any("the daemon is back" in line for line in said.seen), 20)
    before = len(values.seen)
    wait_until(lambda: len(values.seen) >= before + 5, 20)

    numbers = [
        json.loads(line)["number"] for line in values.seen if json.loads(line)["kind"] == "hit"
    ]
    assert len(set(numbers)) == len(numbers), "no event is shown twice"
    (probe,) = machine.objects("probe", "list", "--json")
    assert probe["nodes"][0]["state"] == "armed"
    assert probe["nodes"][0]["pid"] == process.pid
    tail.send_signal(signal.SIGINT)
    assert tail.wait(10) == 0


def test_sleep_works_while_no_daemon_runs(machine: Machine):
    program = machine.program("steps.py", PROGRAM)
    process = machine.start("run", "--awake", "--", sys.executable, str(program))
    assert process.stdout.readline() == "running\n"
    wait_until(lambda: machine.wait_for_node(process.pid)["state"] == "awake", 20)
    os.kill(machine.daemon_pid(), signal.SIGKILL)
    assert machine.done("sleep") == f"steps.py {process.pid} sleeping\n"
    assert machine.nodes()[process.pid]["state"] == "sleeping"
    assert process.poll() is None
