"""What a sleeping process pays: which modules it loads, and how long it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import treetap
from treetap.node import launch

SOURCE = str(Path(treetap.__file__).parent.parent)

#: None of these may be loaded by a process that sleeps and was asked nothing.
HEAVY = {
    "typing", "dataclasses", "inspect", "json", "logging", "re", "pathlib", "urllib", "http", "email",
    "asyncio", "msgspec", "ast", "socket", "threading", "enum", "functools", "collections", "ssl",
    "tomllib", "contextlib", "hashlib", "hmac", "subprocess", "selectors", "encodings.idna",
}  # fmt: skip
#: Ours that belong to an awake node, or to the first request.
AWAKE = {
    "treetap.node.waking", "treetap.node.shipper", "treetap.node.engine", "treetap.node.routes",
    "treetap.link.http", "treetap.link.connection", "treetap.probe", "treetap.wire.codec",
    "treetap.wire.message",
}  # fmt: skip

LOADED = "import sys; print(' '.join(sorted(set(sys.modules) - before)))"


def loaded_by(code: str, home: Path, *options: str) -> set[str]:
    environ = {**os.environ, "TREETAP_HOME": str(home), "PYTHONPATH": ""}
    environ.pop("TREETAP_TREE", None)
    program = (
        f"import sys; sys.path.insert(0, {SOURCE!r}); before = set(sys.modules); {code}; {LOADED}"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", *options, "-c", program],
        env=environ, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    return set(done.stdout.split())


def test_a_process_that_sleeps_loads_nothing_heavy(tmp_path):
    loaded = loaded_by("import treetap; treetap.init(name='shop'); treetap.status()", tmp_path)
    assert "treetap.node.core" in loaded
    assert not loaded & HEAVY
    assert not loaded & AWAKE


def test_shutting_down_loads_nothing_heavy(tmp_path):
    code = "import treetap; treetap.init(); treetap.sleep(); treetap.shutdown()"
    assert not loaded_by(code, tmp_path) & (HEAVY | AWAKE)


def run_child(code: str, environ: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=30
    )
    assert done.stderr == ""
    return done.stdout


def test_a_child_of_a_sleeping_tree_loads_nothing_heavy(home):
    environ = launch.environment(os.environ, home=str(home), tree="12-ab")
    bare = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "TREETAP_TREE")}
    show = "import sys; print(' '.join(sorted(sys.modules)))"
    tapped = set(run_child(show, environ).split())
    without = set(run_child(show, bare).split())
    assert "treetap.node.core" in tapped
    assert not (tapped - without) & (HEAVY | AWAKE)


def least_start_ms(environ: dict[str, str], rounds: int) -> float:
    """Of the processor's time, from start to end: the machine may be busy with others."""
    taken = []
    for _ in range(rounds):
        pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], environ)
        _, status, usage = os.wait4(pid, 0)
        assert status == 0
        taken.append((usage.ru_utime + usage.ru_stime) * 1000)
    return min(taken)


def test_a_child_is_delayed_by_little(home, tmp_path):
    """Measured at 5 ms; the bound is generous, for others may use the caches of the processor."""
    bare = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "TREETAP_TREE")}
    bare["PYTHONPYCACHEPREFIX"] = str(tmp_path / "cache")
    bare.pop("PYTHONDONTWRITEBYTECODE", None)
    tapped = launch.environment(bare, home=str(home), tree="12-ab")
    for environ in (bare, tapped):
        least_start_ms(environ, 2)
    # By turns, so that a busy moment is one of both.
    taken = [(least_start_ms(tapped, 1), least_start_ms(bare, 1)) for _ in range(12)]
    assert min(with_us for with_us, _ in taken) - min(without for _, without in taken) < 20
