"""Wakes and sleeps many times; prints what there is of threads, descriptors and memory, as JSON.

``python -m tests.node.cycles DAEMON_URL``. A process of its own: a change of probes asks the collector
about every object, and a test run has a million of them.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time

import msgspec.msgpack  # noqa: F401 - a node that is awake for a while, or slow, loads it by itself

import treetap


def count(folder):
    return len(os.listdir(f"/proc/self/{folder}"))


def resident_kib():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def cycle(times, threads):
    for number in range(times):
        assert treetap.wake()["status"] == "awake"
        assert treetap.sleep()["status"] == "sleeping"
        if number % 100 == 99:
            gc.collect()  # how long garbage waits for that is no matter of ours
    # The kernel counts a thread for some microseconds after its end.
    deadline_s = time.monotonic() + 10
    while count("task") > threads and time.monotonic() < deadline_s:
        time.sleep(0.001)
    gc.collect()
    return {"threads": count("task"), "descriptors": count("fd"), "kib": resident_kib()}


def main(daemon_url):
    patience = dict.fromkeys(("health_check_timeout", "register_timeout", "unregister_timeout"), 60)
    treetap.init(name="cycles", daemon_url=daemon_url, **patience)
    threads = count("task")
    cycle(100, threads)
    before = cycle(100, threads)
    after = cycle(800, threads)
    faults = treetap.status()["faults"]
    treetap.shutdown()
    print(json.dumps({"before": before, "after": after, "faults": faults}))


if __name__ == "__main__":
    main(sys.argv[1])
