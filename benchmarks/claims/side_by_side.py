"""One program, one daemon, two ways: Detrix's, a debug port with logpoints, and ours, probes.

Both go all the way to treetap's daemon, with the same probe on the same line, so what differs is how the
program is observed. Detrix's own daemon isn't measured: it needs a compiler's toolchain to be had; it
asks the same debugger the same things. The program has one core, the daemon (and the adapter) the other.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import treetap
from benchmarks.clock import Contender, interleave, time_chunk
from benchmarks.running import RunningDaemon, probe_fields, resident_mb
from benchmarks.sample import Claim, Sample, sample
from benchmarks.shop import EXPRESSIONS, PROBED_TEXT, open_shop
from benchmarks.worker import Worker, WorkerError, serve

if TYPE_CHECKING:
    from benchmarks.setting import Setting

GROUP = "side_by_side"
WAYS = {"debugpy": "a debug port", "probes": "probes"}
#: In a chunk: what takes some tens of milliseconds either way.
HITS = {"debugpy": 500, "probes": 20_000}
CHUNKS = 5
FLOOD_S = 3.0
#: Of the adapter, whose environment has it.
_MARK = b"TREETAP_DEBUG_ADAPTER="


class Run(NamedTuple):
    """What one way costs.

    Attributes:
        before, awake, after: What there was of the program: asleep, awake, asleep again.
        wake_ms, sleep_ms: What the two calls took.
        armed_ms: From the wake to the probe's being armed.
        hit_ns: Added to a call by a hit, one a round.
        rate: Events a second that the daemon took while the program made more than that.
        flooded_ns: A call, all in, meanwhile.
        slower: A call after the sleep, against one before the wake.
    """

    before: dict[str, float]
    awake: dict[str, float]
    after: dict[str, float]
    wake_ms: float
    sleep_ms: float
    armed_ms: float
    hit_ns: list[float]
    rate: float
    flooded_ns: float
    slower: float


def measure(setting: Setting) -> list[Claim]:
    rounds = max(3, setting.rounds // 3)
    runs = {way: [_run(setting, way) for _ in range(rounds)] for way in WAYS}
    claims = []
    for way, label in WAYS.items():
        claims += _costs(label, runs[way])
    theirs, ours = (
        sample(ns for run in runs[way] for ns in run.hit_ns).median for way in ("debugpy", "probes")
    )
    rates = [sample(run.rate for run in runs[way]).median for way in ("probes", "debugpy")]
    claims += [
        Claim(GROUP, "a hit: a debug port against probes", sample([theirs / ours]), "x"),
        Claim(GROUP, "events a second: probes against a debug port", sample([rates[0] / rates[1]]), "x"),
    ]  # fmt: skip
    return claims


def _costs(label: str, runs: list[Run]) -> list[Claim]:
    def over(of: Any) -> Sample:
        return sample(of(run) for run in runs)

    def grown(when: str, what: str) -> Sample:
        return over(lambda run: getattr(run, when)[what] - run.before[what])

    def claim(name: str, value: Sample, unit: str, note: str = "") -> Claim:
        return Claim(GROUP, f"{label}: {name}", value, unit, note=note)

    awake, after = runs[0].awake, runs[0].after
    return [
        claim("added to a hit", sample(ns for run in runs for ns in run.hit_ns), "ns"),
        claim("events a second at the daemon", over(lambda run: run.rate), "/s"),
        claim("a call while it is flooded", over(lambda run: run.flooded_ns), "ns"),
        claim("wake()", over(lambda run: run.wake_ms), "ms", "a process's first"),
        claim("from wake() to an armed probe", over(lambda run: run.armed_ms), "ms"),
        claim("memory of the program, awake", grown("awake", "mb"), "MB", "over asleep"),
        claim("memory of its other processes, awake", grown("awake", "others_mb"), "MB",
              f"{awake['others']:.0f} of them"),
        claim("threads, awake", grown("awake", "threads"), "threads", "over asleep"),
        claim("ports that it opens", grown("awake", "ports"), "ports"),
        claim("sleep()", over(lambda run: run.sleep_ms), "ms"),
        claim("left after sleep: memory", grown("after", "mb"), "MB", "modules, and what Python keeps of a flood"),
        claim("left after sleep: threads, ports, processes",
              over(lambda run: sum(run.after[it] - run.before[it] for it in ("threads", "ports", "others"))),
              "", f"{after['ports']:.0f} ports, of the control plane"),
        claim("a call after sleep, against before", over(lambda run: run.slower), "x"),
    ]  # fmt: skip


def _run(setting: Setting, way: str) -> Run:
    with (
        RunningDaemon(setting.directory, core=0) as daemon,
        Worker(
            f"benchmarks.claims.{GROUP}",
            str(setting.directory),
            way,
            variables={**daemon.variables, "PYTHONPYCACHEPREFIX": None},
            core=1,
        ) as worker,
    ):
        place = worker.ask("place")
        bare = worker.ask("speed")
        before = worker.ask("look")
        probe = daemon.client.add_probe(**probe_fields(place["path"], place["line"], EXPRESSIONS))
        began = time.perf_counter()
        wake_ms = worker.ask("wake")
        daemon.wait_until_armed(probe["id"])
        armed_ms = (time.perf_counter() - began) * 1000
        awake = worker.ask("look")
        hit_ns = [_hits(daemon, worker, HITS[way]) for _ in range(3)]
        rate, flooded_ns = _flood(daemon, worker)
        sleep_ms = worker.ask("sleep")
        after = worker.ask("look")
        slower = worker.ask("speed") / bare
    return Run(
        before, awake, after, wake_ms, sleep_ms, armed_ms, hit_ns, rate, flooded_ns, slower
    )  # fmt: skip


def _hits(daemon: RunningDaemon, worker: Worker, calls: int) -> float:
    """Nanoseconds that a hit adds to a call, nothing under way before it."""
    _wait_until_settled(daemon)
    return float(worker.ask("hit", calls=calls))


def _flood(daemon: RunningDaemon, worker: Worker) -> tuple[float, float]:
    _wait_until_settled(daemon)
    before = daemon.client.status()["rows"]
    began = time.perf_counter()
    ran = worker.ask("flat_out", seconds=FLOOD_S)
    taken = daemon.client.status()["rows"] - before
    return taken / (time.perf_counter() - began), ran["elapsed_s"] / ran["calls"] * 1e9


def _wait_until_settled(daemon: RunningDaemon) -> None:
    """Until the daemon has heard of nothing new for a moment."""
    deadline = time.monotonic() + 60
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 0.5:
        rows = daemon.client.status()["rows"]
        if rows != last:
            last, since = rows, time.monotonic()
        if time.monotonic() > deadline:
            raise WorkerError("the daemon is still being told of hits")
        time.sleep(0.05)


class Program:
    """The observed process."""

    def __init__(self, directory: Path, way: str) -> None:
        self.way = way
        self.shop, beside = open_shop(directory), open_shop(directory, head="# unobserved\n")
        self.contender = Contender("handle", self.shop.module.handle, self.shop.call())
        #: The same code, in a module that nobody observes.
        self.bare = Contender("bare", beside.module.handle, beside.call())

    def place(self) -> dict[str, Any]:
        treetap.init(name="shop", debugger=self.way)
        return {"path": self.shop.path, "line": self.shop.line_of(PROBED_TEXT)}

    def wake(self) -> float:
        began = time.perf_counter()
        treetap.wake()
        return (time.perf_counter() - began) * 1000

    def sleep(self) -> float:
        began = time.perf_counter()
        treetap.sleep()
        return (time.perf_counter() - began) * 1000

    def hit(self, calls: int) -> float:
        """By how much a chunk of hits is slower than the one beside it, a call."""
        return median(
            time_chunk(self.contender, calls).wall - time_chunk(self.bare, 20_000).wall
            for _ in range(CHUNKS)
        )

    def flat_out(self, seconds: float) -> dict[str, float]:
        handle, arguments = self.contender.call, self.contender.arguments
        calls, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            for _ in range(100):
                handle(*arguments)
            calls += 100
        return {"calls": calls, "elapsed_s": time.perf_counter() - began}

    def speed(self) -> float:
        """Processor time of a call, against one in the module that nobody observes."""
        calls = interleave([self.contender, self.bare], rounds=3, chunks=10, calls=10_000)
        own, bare = (sample(timing.thread for timing in calls[name]) for name in ("handle", "bare"))
        return own.median / bare.median

    def look(self) -> dict[str, float]:
        """What there is of this process, and of those that it has started."""
        time.sleep(0.05)  # the kernel counts a thread for a moment after its end
        others = list(_adapters())
        return {
            "mb": resident_mb(os.getpid()),
            "threads": len(os.listdir("/proc/self/task")),
            "ports": sum(_listening_ports(pid) for pid in (os.getpid(), *others)),
            "others": len(others),
            "others_mb": sum(resident_mb(pid) for pid in others),
        }


def _adapters() -> list[int]:
    wanted = _MARK + str(os.getpid()).encode() + b"-"
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                variables = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(each.startswith(wanted) for each in variables):
                found.append(int(entry))
    return found


def _listening_ports(pid: int) -> int:
    inodes = set()
    for table in ("tcp", "tcp6"):
        rows = Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        inodes |= {fields[9] for fields in map(str.split, rows) if fields[3] == "0A"}
    count = 0
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{entry}")
        except OSError:
            continue
        count += target.startswith("socket:[") and target[8:-1] in inodes
    return count


if __name__ == "__main__":
    program = Program(Path(sys.argv[1]), sys.argv[2])
    serve(
        {
            name: getattr(program, name)
            for name in ("place", "wake", "sleep", "hit", "flat_out", "speed", "look")
        }
    )
