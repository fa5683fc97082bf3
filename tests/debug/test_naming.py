from __future__ import annotations

import os
import subprocess
import sys

import pytest

ASK = "from treetap.debug.naming import own_name; print(own_name())"


def name_of(*arguments, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TREETAP_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, *arguments], env=clean | environment, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_a_program_is_called_as_its_script_or_its_module_is(tmp_path):
    script, package = tmp_path / "shop.py", tmp_path / "store"
    package.mkdir()
    for path in (script, package / "__main__.py"):
        path.write_text(ASK)
    assert name_of(script) == "shop"
    assert name_of("-m", "store", PYTHONPATH=str(tmp_path)) == "store"
    assert name_of(script, TREETAP_NAME="mine") == "mine"


@pytest.mark.parametrize("library", ["multiprocessing", "billiard"])
def test_a_worker_of_a_pool_is_called_as_the_pool_calls_it(tmp_path, library):
    script = tmp_path / "pool.py"
    script.write_text(
        f"import {library}\n"
        "from treetap.debug.naming import own_name\n"
        f"worker = {library}.get_context('fork').Process(target=lambda: print(own_name(), flush=True), name='worker-7')\n"
        "print(own_name(), flush=True); worker.start(); worker.join()\n"
    )
    assert name_of(script).split() == ["pool", "worker-7"]


def test_a_worker_of_xdist_is_called_as_xdist_calls_it_and_what_it_starts_is_not():
    worker = f"import execnet.gateway_base; {ASK}"
    assert name_of("-c", worker, PYTEST_XDIST_WORKER="gw1") == "gw1"
    assert name_of("-c", ASK, PYTEST_XDIST_WORKER="gw1") == "-c"
