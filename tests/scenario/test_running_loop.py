from __future__ import annotations

import sys

import pytest

from tests.conftest import wait_until
from tests.scenario.conftest import Machine

LOOP = """
import time

def main():
    count = 0
    print("looping")
    while True:
        count += 1
        time.sleep(0.01)

main()
"""
MODULE_LOOP = """
import time

count = 0
print("looping")
while True:
    count += 1
    time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("source", "line"), [(LOOP, 8), (MODULE_LOOP, 7)], ids=["function", "module"]
)
def test_a_loop_that_never_returns_is_probed_while_it_runs(
    machine: Machine, source: str, line: int
):
    program = machine.program("loop.py", source)
    process = machine.start("run", "--", sys.executable, str(program))
    assert process.stdout.readline() == "looping\n"
    machine.wait_for_node(process.pid)
    added = machine.done("probe", "add", f"loop.py:{line}", "count")
    assert "armed" in added
    assert ("tracing" if sys.version_info < (3, 12) else "monitoring") in added
    seen = wait_until(lambda: (found := machine.events()) and len(found) >= 3 and found, 20)
    counts = [event["values"]["count"] for event in seen]
    assert counts == list(range(counts[0], counts[0] + len(counts)))
    machine.done("sleep")
    assert process.poll() is None
