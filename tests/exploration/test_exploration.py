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
#: generators, context managers, coroutines, recursion, closures, exceptions.
LIBRARIES = [
    ("textwrap", "test.test_textwrap"),
    ("string", "test.test_string"),
    ("copy", "test.test_copy"),
    ("graphlib", "test.test_graphlib"),
    ("contextlib", "test.test_contextlib"),
    ("html.parser", "test.test_htmlparser"),
    ("asyncio.queues", "test.test_asyncio.test_queues"),
]

pytestmark = [
    # Two runs of what explore() gives its time to.
    pytest.mark.timeout(400),
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
    traced = explore(module, tests, "traced")
    probed = explore(module, tests, "probed")
    assert traced["failed"] == []
    assert probed["failed"] == [], probed["first"]
    assert (probed["run"], probed["skipped"]) == (traced["run"], traced["skipped"])
    assert probed["states"] == ["armed"], probed["errors"]
    assert probed["faults"] == 0
    assert probed["left"] == []
    # The probes saw exactly the lines that ran, as the interpreter's own tracing tells them.
    seen, ran = set(probed["hit"]), set(traced["hit"])
    assert ran - seen == set()
    assert seen - ran - set(probed["entries"]) == set()
