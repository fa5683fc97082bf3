"""What is found again in a script that still runs is the same place, not another one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

#: The script waits for as long as it takes to be searched a second time, with all functions.
SCRIPT = """
import json, sys, threading, time
from treetap.model.location import parse_location
from treetap.model.probe import Probe
from treetap.probe.probeset import ProbeSet

probes = ProbeSet()
rows = []

def ship():
    probes.apply([Probe("a", parse_location(sys.argv[1]), ("number",), budget_percent=0)])
    ends = time.monotonic() + 1.5
    while time.monotonic() < ends or (len(rows) < 20 and time.monotonic() < ends + 20):
        probes.tick()
        rows.extend(row[1] for batch in probes.drain() for row in batch.rows)
        time.sleep(0.01)

def step(number):
    doubled = number * 2
    return doubled

thread = threading.Thread(target=ship)
thread.start()
number = 0
while thread.is_alive():
    number += 1
    step(number)
    time.sleep(0.02)
print(json.dumps([rows, probes.statuses()[0].differs]))
"""


@pytest.mark.parametrize("line", ["return doubled", "step(number)\n"], ids=["function", "body"])
def test_a_line_of_a_script_that_runs_is_recorded_once_a_hit(tmp_path: Path, line: str):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    number = next(
        n for n, text in enumerate(SCRIPT.splitlines(True), 1) if line in text and "def" not in text
    )
    done = subprocess.run(
        [sys.executable, str(script), f"script.py:{number}"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stderr == ""
    rows, differs = json.loads(done.stdout)
    assert len(rows) > 10
    assert rows == list(range(rows[0], rows[0] + len(rows)))
    assert not differs


#: The script makes its function anew each round, of the constant of its body.
MAKING = """
import json, sys, threading, time
from treetap.model.location import parse_location
from treetap.model.probe import Probe
from treetap.probe.probeset import ProbeSet

probes = ProbeSet()
seen = []

def wait_for(what):
    ends = time.monotonic() + 10
    while time.monotonic() < ends and not what():
        probes.tick()
        for _ in probes.drain():
            pass
        time.sleep(0.01)
    return what()

def put(mode):
    location = parse_location(sys.argv[1])
    probes.apply([Probe("a", location, ("number",), budget_percent=0, **mode)])

def ship():
    for _ in range(2):
        for mode in ({}, {"max_hits": 1}):
            put(mode)
            seen.append(wait_for(lambda: probes.statuses()[0].hits > 0))
            seen.append(probes.statuses()[0].differs)
            probes.apply([])
            seen.append(wait_for(lambda: step.__code__ is original))
    probes.close()

thread = threading.Thread(target=ship)
original = None
while original is None or thread.is_alive():
    def step(number):
        doubled = number * 2
        return doubled
    if original is None:
        original = step.__code__
        thread.start()
    step(1)
    time.sleep(0.002)
print(json.dumps(seen))
"""


def test_a_body_that_runs_goes_on_to_make_functions_of_their_own_code(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(MAKING)
    done = subprocess.run(
        [sys.executable, str(script), 'script.py:"return doubled"'],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == [True, False, True] * 4


def test_a_file_of_ours_is_meant_only_where_the_location_says_so():
    from treetap.model.location import parse_location
    from treetap.probe import meant

    assert not meant.means_file(parse_location("meant.py:3"), meant.__file__)
    assert meant.means_file(parse_location("treetap/probe/meant.py:3"), meant.__file__)
    assert meant.means_file(parse_location("meant.py:3"), "/srv/shop/meant.py")
