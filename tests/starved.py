"""Runs pytest on a machine that is made bad on purpose, to find tests that pass on a good one only.

``python -m tests.starved [PYTEST_ARGS]``, as ``python -m tests.starved -n 3 tests/node``. Two busy loops take
their part of the processors, and several times a second some threads of the tests, and of what they start,
get nothing but what nobody else wants (``SCHED_IDLE``) for a moment: so each thread is held up at any place,
sooner or later. The whole suite takes some 15 minutes. For Linux, and for root, who may give a thread its
place back.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time

from treetap.process.family import descendants, processes

#: How likely a thread is to be chosen, at each look; for how long at most; time between looks.
CHANCE = 0.012
STARVED_S = 0.6
LOOK_S = 0.02
BUSY_LOOPS = 2
_NO_PRIORITY = os.sched_param(0)


def threads_below(pid: int) -> list[int]:
    """Of all that descend from a process."""
    found: list[int] = []
    for entry in descendants([pid], processes()):
        with contextlib.suppress(OSError):
            found += map(int, os.listdir(f"/proc/{entry.pid}/task"))
    return found


def give(thread: int, policy: int) -> bool:
    """Put a thread under a scheduling policy; whether it is still there."""
    try:
        os.sched_setscheduler(thread, policy, _NO_PRIORITY)
    except ProcessLookupError:
        return False
    return True


def starve(tests: subprocess.Popen[bytes]) -> None:
    """Until they have ended."""
    ends_s: dict[int, float] = {}
    while tests.poll() is None:
        now_s = time.monotonic()
        for thread in [thread for thread, end_s in ends_s.items() if end_s < now_s]:
            give(thread, os.SCHED_OTHER)
            del ends_s[thread]
        for thread in threads_below(tests.pid):
            if thread not in ends_s and random.random() < CHANCE and give(thread, os.SCHED_IDLE):
                ends_s[thread] = now_s + random.random() * STARVED_S
        time.sleep(LOOK_S)


def main() -> int:
    loops = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY_LOOPS)
    ]
    tests = subprocess.Popen([sys.executable, "-m", "pytest", *sys.argv[1:]])
    try:
        starve(tests)
    finally:
        tests.kill()
        for loop in loops:
            loop.kill()
    return tests.wait()


if __name__ == "__main__":
    sys.exit(main())
