"""What a program pays that merely imports treetap. Each check runs in a fresh, isolated Python."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.arch.syntax import SOURCE

#: None of these may be loaded by the import itself.
HEAVY = {
    "asyncio",
    "trio",
    "msgspec",
    "http.server",
    "sqlite3",
    "logging.handlers",
    "debugpy",
    "pdb",
}
#: These cost milliseconds each, and a process that stays asleep has no use for them.
SLOW = {"typing", "dataclasses", "inspect", "json", "logging", "re", "pathlib", "urllib", "email"}


def loaded_by(code: str) -> set[str]:
    """Names of the modules that ``code`` loads into a bare interpreter."""
    program = (
        "import sys\n"
        f"sys.path.insert(0, {str(SOURCE)!r})\n"
        "before = set(sys.modules)\n"
        f"{code}\n"
        "loaded = sorted(set(sys.modules) - before)\n"
        "import json\n"
        "print(json.dumps(loaded))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return set(json.loads(done.stdout))


def test_a_cold_import_loads_nothing_heavy():
    assert not loaded_by("import treetap") & HEAVY


def test_a_cold_import_loads_nothing_slow():
    assert not loaded_by("import treetap") & SLOW


def test_a_cold_import_loads_one_module_of_ours():
    ours = {name for name in loaded_by("import treetap") if name.startswith("treetap")}
    assert ours == {"treetap"}


def test_the_errors_alone_load_nothing_slow():
    assert not loaded_by("import treetap; treetap.TreetapError") & (HEAVY | SLOW)


#: What the engine has no need of until a probe does. A child of an awake tree that a probe is meant for
#: waits for the engine before its first line, and is to be held up for 20 ms at most.
NOT_FOR_THE_ENGINE = {
    "ast",
    "bytecode",
    "collections",
    "contextlib",
    "copy",
    "ctypes",
    "dataclasses",
    "datetime",
    "dis",
    "enum",
    "functools",
    "importlib.machinery",
    "importlib.util",
    "inspect",
    "json",
    "opcode",
    "operator",
    "re",
    "struct",
    "threading",
    "tokenize",
    "typing",
    "weakref",
}

ARMING = """
from treetap.model.location import parse_location
from treetap.model.probe import Probe
from treetap.probe.probeset import ProbeSet
from treetap.wire.message import probe_from_dict, probe_to_dict
probes = ProbeSet()
probe = Probe("p1", parse_location("adder.py:2"), ("a + b", "len(items)"))
probes.apply([probe_from_dict(probe_to_dict(probe))])
import adder
assert adder.add(1, 2, []) == 3
assert probes.statuses()[0].state == "armed" and probes.statuses()[0].recorded == 1
"""


def test_the_engine_loads_nothing_slow():
    code = "import treetap.node.engine, treetap.probe.probeset"
    assert not loaded_by(code) & (HEAVY | SLOW | NOT_FOR_THE_ENGINE)


def test_arming_a_module_that_is_imported_loads_nothing_slow(tmp_path):
    (tmp_path / "adder.py").write_text("def add(a, b, items):\n    return a + b\n")
    code = f"sys.path.insert(0, {str(tmp_path)!r})\n{ARMING}"
    assert not loaded_by(code) & (HEAVY | SLOW | NOT_FOR_THE_ENGINE)


def test_arming_loads_nothing_that_only_a_hit_needs(tmp_path):
    (tmp_path / "adder.py").write_text("def add(a, b, items):\n    return a + b\n")
    arming, _, _hitting = ARMING.partition("assert adder.add")
    path = f"sys.path.insert(0, {str(tmp_path)!r})\n"
    is_armed = "\nassert probes.statuses()[0].state == 'armed'"
    ours = {"evaluation", "operation", "reading", "safety", "standard", "text"}
    taking = {f"treetap.expression.{name}" for name in ours} | {"treetap.probe.capture"}
    loaded = loaded_by(f"{path}{arming}{is_armed}")
    assert "treetap.probe.recorder" in loaded
    assert not loaded & {*taking, "types", "warnings"}
    assert taking < loaded_by(f"{path}{ARMING}")


def test_what_a_wake_loads_beside_the_engine_is_not_slow():
    code = "import treetap.node.waking, treetap.node.routes"
    assert not loaded_by(code) & (HEAVY | SLOW | NOT_FOR_THE_ENGINE | {"socket", "selectors"})
