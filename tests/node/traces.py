"""What this process has of the kernel's, to be compared before and after."""

from __future__ import annotations

import _thread
import faulthandler
import os
import threading

from tests.conftest import wait_until
from treetap.node import thread


def threads() -> int:
    """How many; waits until the kernel has forgotten those that have ended.

    pytest's watchdog is a thread that Python doesn't count: the test does without it.
    """
    faulthandler.cancel_dump_traceback_later()
    wait_until(lambda: not _idle_threads_of_trio())
    wait_until(lambda: _kernels_threads() == _thread._count() + 1)
    return _kernels_threads()


def _idle_threads_of_trio() -> list[str]:
    """Those that earlier tests had: each ends by itself when it had nothing to do for ten seconds."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("Trio thread")]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def wait_for_earlier_nodes() -> None:
    """Until no thread of a node of an earlier test is left: it would end, and close, in between."""
    wait_until(lambda: thread.count() == 0)


def _kernels_threads() -> int:
    return len(os.listdir("/proc/self/task"))
