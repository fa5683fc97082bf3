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


def test_a_program_that_names_itself_is_called_that_and_what_it_starts_is_not(tmp_path):
    script = tmp_path / "shop.py"
    script.write_text(
        "import os, sys, treetap\n"
        "from treetap.debug.naming import own_name\n"
        "def tell(): print(own_name(), flush=True)\n"
        "treetap.init(name='till 1', home=sys.argv[1]); tell()\n"
        "if os.fork() == 0: tell(); os._exit(0)\n"
        "os.wait()\n"
        f"os.spawnl(os.P_WAIT, sys.executable, 'python', '-c', {ASK!r})\n"
        "treetap.shutdown(); tell()\n"
    )
    names = name_of(
        script, str(tmp_path), TREETAP_NAME="tree", PYTHONPATH=os.pathsep.join(sys.path)
    )
    assert names.split("\n") == ["till 1", "tree", "tree", "tree"]
    (tmp_path / "config.toml").write_text('name = "till 2"')
    script.write_text(script.read_text().replace("name='till 1', ", ""))
    assert name_of(script, str(tmp_path)).split("\n") == ["till 2", "shop", "-c", "shop"]


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
