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
