"""A probe on every line of a library, and the library's own tests pass as they do without."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXPLORE = Path(__file__).with_name("explore.py")
#: Pure Python, with tests that come along with the interpreter: functions, methods, properties,
#: generators, recursion, closures, exceptions.
LIBRARIES = [
    ("textwrap", "test.test_textwrap"),
    ("string", "test.test_string"),
]

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        importlib.util.find_spec("test.test_textwrap") is None,
        reason="this interpreter comes without CPython's own tests",
    ),
]


def explore(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(EXPLORE), *arguments],
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize(("module", "tests"), LIBRARIES)
def test_a_library_with_a_probe_on_every_line_passes_its_own_tests(module: str, tests: str):
    without = explore(module, tests)
    probed = explore(module, tests, "probes")
    assert without["failed"] == []
    assert probed["failed"] == [], probed["first"]
    assert (probed["run"], probed["skipped"]) == (without["run"], without["skipped"])
    assert probed["states"] == ["armed"], probed["errors"]
    assert probed["faults"] == 0
    assert probed["hit"] > probed["probes"] / 2
    assert probed["left"] == []
