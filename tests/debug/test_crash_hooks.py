"""What ``run --on-crash`` sets; what it does on a terminal is in ``scenario/test_crash_prompt.py``."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
sys.modules.pop("threading", None)
from treetap.debug.crash_hooks import install
before = set(sys.modules)
finders = list(sys.meta_path)
install()
print(sorted({"threading", "multiprocessing", "typing"} & (set(sys.modules) - before)))
import threading
import multiprocessing.process
print(threading.excepthook.__module__, multiprocessing.process.BaseProcess._bootstrap.__module__)
print(finders == sys.meta_path, "exec_module" in vars(threading.__loader__))
"""


def test_a_modules_hook_is_set_when_the_program_loads_it_and_nothing_is_loaded_for_it():
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM], capture_output=True, text=True, timeout=40
    )
    assert done.stdout == (
        "[]\ntreetap.debug.crash_hooks treetap.debug.crash_hooks\nTrue False\n"
    ), done.stderr
