from __future__ import annotations

import subprocess
import sys
import threading

from treetap.node import thread


def test_a_start_is_over_when_the_thread_runs():
    done = threading.Event()
    thread.start(done.set)
    assert done.wait(10)


def test_a_process_that_ends_the_moment_after_ends_well(home):
    """Debian's 3.11.2 crashed three times in four when the thread had not begun."""
    program = "import treetap; treetap.init()"
    for _ in range(10):
        ran = subprocess.run(
            [sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True
        )
        assert (ran.returncode, ran.stderr) == (0, "")
