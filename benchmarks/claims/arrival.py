"""How long it takes until a value is there: after a wake, after a new probe, and on the screen.

All times are of the system's clock, which the processes of a machine share: a hit carries the time at
which it was made, and the reader notes when it got it.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from statistics import quantiles
from typing import TYPE_CHECKING, Any, Self

from benchmarks.running import RunningDaemon, probe_fields
from benchmarks.sample import Claim, sample
from benchmarks.shop import EXPRESSIONS
from benchmarks.worker import ROOT, Worker, WorkerError

if TYPE_CHECKING:
    from benchmarks.setting import Setting

GROUP = "arrival"
PACED_S = 4.0
PACED_EVERY_S = 0.002
NS_PER_MS = 1e6


def measure(setting: Setting) -> list[Claim]:
    with RunningDaemon(setting.directory, core=0) as daemon:
        claims = _wakes(setting, daemon)
    with RunningDaemon(setting.directory, core=0) as daemon:
        claims += _new_probes(setting, daemon)
    with RunningDaemon(setting.directory, core=0) as daemon:
        claims += _tail(setting, daemon)
    return claims


class Watch:
    """Reads the live stream in a thread, and notes when each event came."""

    def __init__(self, daemon: RunningDaemon) -> None:
        self._daemon = daemon
        self._arrivals: queue.SimpleQueue[tuple[int, dict[str, Any]]] = queue.SimpleQueue()
        self._is_listening = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        if not self._is_listening.wait(10):
            raise WorkerError("the stream didn't begin")
        return self

    def __exit__(self, *_: object) -> None:
        pass  # it ends with the daemon

    def next_hit(self, after_ns: int = 0) -> tuple[int, dict[str, Any]]:
        """When the next hit came that was made after a moment, and the hit."""
        deadline = time.monotonic() + 20
        while True:
            arrived_ns, event = self._arrivals.get(timeout=max(0.01, deadline - time.monotonic()))
            if event.get("kind") == "hit" and event["time_ns"] >= after_ns:
                return arrived_ns, event

    def _read(self) -> None:
        from treetap.client import DaemonClient
        from treetap.errors import DaemonError

        try:
            with DaemonClient(self._daemon.url) as client:
                for event in client.stream(on_listening=self._is_listening.set):
                    self._arrivals.put((time.time_ns(), event))
        except DaemonError:
            return  # the daemon has ended, and this with it


def _observed(setting: Setting, daemon: RunningDaemon) -> Worker:
    return Worker("benchmarks.observed", str(setting.directory), variables=daemon.variables, core=1)


def _wakes(setting: Setting, daemon: RunningDaemon) -> list[Claim]:
    first_ms: list[float] = []
    later_ms: list[float] = []
    calls_ms: list[float] = []
    with Watch(daemon) as watch:
        for _ in range(setting.rounds):
            with _observed(setting, daemon) as worker:
                place = worker.ask("place")
                probe = daemon.client.add_probe(
                    **probe_fields(place["path"], place["line"], EXPRESSIONS)
                )
                for times in (first_ms, later_ms):
                    woken = worker.ask("wake", calls=50)
                    arrived_ns, _hit = watch.next_hit(woken["began_ns"])
                    times.append((arrived_ns - woken["began_ns"]) / NS_PER_MS)
                    calls_ms.append((woken["awake_ns"] - woken["began_ns"]) / NS_PER_MS)
                    worker.ask("sleep")
                daemon.client.remove_probe(probe["id"])
    return [
        Claim(
            GROUP,
            "wake to the first value at a listener",
            sample(first_ms),
            "ms",
            at_most=50,
            note="a process's first wake: the engine is imported in it",
        ),
        Claim(GROUP, "a later wake to its first value", sample(later_ms), "ms", at_most=50),
        Claim(GROUP, "treetap.wake() itself, first and later", sample(calls_ms), "ms"),
    ]


def _new_probes(setting: Setting, daemon: RunningDaemon) -> list[Claim]:
    busy_ms, arrived_ms = [], []
    with Watch(daemon) as watch, _observed(setting, daemon) as worker:
        place = worker.ask("place")
        worker.ask("wake")
        worker.ask("busy")
        for _ in range(3 * setting.rounds):
            asked_ns = time.time_ns()
            probe = daemon.client.add_probe(
                **probe_fields(place["path"], place["line"], EXPRESSIONS, mode="throttle", rate=100)
            )
            arrived_ns, hit = watch.next_hit(asked_ns)
            busy_ms.append((hit["time_ns"] - asked_ns) / NS_PER_MS)
            arrived_ms.append((arrived_ns - asked_ns) / NS_PER_MS)
            daemon.client.remove_probe(probe["id"])
            time.sleep(0.05)  # let it settle; nothing waits for this
        worker.ask("rest")
    return [
        Claim(
            GROUP,
            "a new probe to its first hit, in a busy program",
            sample(busy_ms),
            "ms",
            at_most=6,
            note="from the POST to the daemon on; the program never waits",
        ),
        Claim(GROUP, "a new probe to its first value at a listener", sample(arrived_ms), "ms"),
    ]


def _tail(setting: Setting, daemon: RunningDaemon) -> list[Claim]:
    """``treetap tail`` as a user runs it, piped."""
    with _observed(setting, daemon) as worker:
        place = worker.ask("place")
        probe = daemon.client.add_probe(**probe_fields(place["path"], place["line"], EXPRESSIONS))
        worker.ask("wake")
        daemon.wait_until_armed(probe["id"])
        environment = {**os.environ, **daemon.variables, "PYTHONPATH": str(ROOT)}
        tail = subprocess.Popen(
            [sys.executable, "-m", "treetap.cli", "tail", "--json"],
            env={name: value for name, value in environment.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            _wait_for_listener(daemon)
            worker.tell("paced", seconds=PACED_S, every_s=PACED_EVERY_S)
            waits_ms = _read_tail(tail)
            made = worker.answer()
        finally:
            tail.terminate()
            tail.wait()
    p99 = quantiles(waits_ms, n=100)[98]
    note = f"{len(waits_ms)} of {made} hits read, {1 / PACED_EVERY_S:.0f}/s"
    return [
        Claim(GROUP, "hit to a line of tail, median", sample(waits_ms), "ms", note=note),
        Claim(GROUP, "hit to a line of tail, 99th percentile", sample([p99]), "ms", at_most=250),
    ]


def _wait_for_listener(daemon: RunningDaemon) -> None:
    deadline = time.monotonic() + 15
    while daemon.client.status()["listeners"] == 0:
        if time.monotonic() > deadline:
            raise WorkerError("tail doesn't listen")
        time.sleep(0.02)


def _read_tail(tail: subprocess.Popen[str]) -> list[float]:
    """Milliseconds from hit to line, of each line within the time that hits are made."""
    assert tail.stdout is not None
    waits_ms: list[float] = []
    limit = threading.Timer(PACED_S + 2, tail.terminate)
    limit.start()
    began = time.monotonic()
    for line in tail.stdout:
        arrived_ns = time.time_ns()
        event = json.loads(line)
        if event.get("kind") == "hit":
            waits_ms.append((arrived_ns - event["time_ns"]) / NS_PER_MS)
        if time.monotonic() - began > PACED_S - 0.1:
            break
    limit.cancel()
    if len(waits_ms) < 100:
        raise WorkerError(f"tail showed {len(waits_ms)} hits only")
    return waits_ms
