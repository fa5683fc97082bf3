"""What a supervisor starts in a tapped tree is a node of it, and ends with it."""

from __future__ import annotations

import signal
import sys

from tests.conftest import wait_until
from tests.scenario.conftest import Machine

PARENT = """
import sys, trio
from treetap.process import supervise_run_process

trio.run(supervise_run_process, [sys.executable, "-c", "import time; time.sleep(60)"])
"""


def test_a_supervised_python_process_is_a_child_of_its_supervisors_node(machine: Machine):
    script = machine.program("parent.py", PARENT)
    started = machine.start("run", "--", sys.executable, str(script))
    nodes = wait_until(lambda: len(found := machine.nodes()) == 2 and found, 30)
    [child] = [node for pid, node in nodes.items() if pid != started.pid]
    assert child["parent"].startswith(f"{started.pid}-")
    assert child["tree"] == nodes[started.pid]["tree"]
    started.send_signal(signal.SIGINT)
    started.wait(20)
    wait_until(lambda: not machine.nodes())
