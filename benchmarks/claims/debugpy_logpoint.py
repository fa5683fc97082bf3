"""A debugpy logpoint, set by a real DAP client in another process: what Detrix uses.

The target has one core, the adapter and the client the other. Each phase measures the same
functions: before debugpy, after ``listen()``, with the logpoint set, after the client has left.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.clock import Contender, interleave, time_chunk
from benchmarks.dap import DapClient
from benchmarks.sample import Claim, Sample, sample
from benchmarks.shop import BESIDE_TEXT, PROBED_TEXT, Shop, open_shop
from benchmarks.worker import Worker, serve

if TYPE_CHECKING:
    from benchmarks.setting import Setting

GROUP = "debugpy_logpoint"
HITS = 1000
BURST = 10_000
LOOP = 5000


def measure(setting: Setting) -> list[Claim]:
    # Its importer warns of frozen modules on standard error; it can't set breakpoints in those.
    variables = {"PYDEVD_DISABLE_FILE_VALIDATION": "1", "PYTHONPYCACHEPREFIX": None}
    with Worker(
        f"benchmarks.claims.{GROUP}", str(setting.directory), variables=variables, core=1
    ) as worker:
        before = worker.ask("speed", rounds=setting.rounds)
        opened = worker.ask("listen")
        listening = worker.ask("speed", rounds=setting.rounds)
        began = time.perf_counter()
        client = DapClient(opened["port"])
        client.attach()
        client.set_logpoints(
            opened["path"],
            {opened["line"]: "order {order.total} {qty} {len(items)}", opened["beside"]: "{total}"},
        )
        attached_ms = opened["listen_ms"] + (time.perf_counter() - began) * 1000
        hit_ns = _hits(worker, client, setting.rounds)
        beside = worker.ask("beside", rounds=setting.rounds)
        armed = worker.ask("other", rounds=setting.rounds)
        rate, lag_ms = _burst(worker, client)
        client.set_logpoints(opened["path"], {})
        client.disconnect()
        after = worker.ask("speed", rounds=setting.rounds)
    bare_ns = before["handle"][0]
    return [
        Claim(GROUP, "debugpy logpoint, three values: added to a hit", _added(hit_ns, bare_ns)),
        Claim(GROUP, "debugpy: a loop beside the logpoint", _slower(beside, before["beside"]), "x"),
        Claim(
            GROUP, "debugpy: other functions, logpoint set", _slower(armed, before["other"]), "x"
        ),
        Claim(
            GROUP, "debugpy: listen() alone", _slower(listening["handle"], before["handle"]), "x"
        ),
        Claim(
            GROUP, "debugpy: after its client left", _slower(after["handle"], before["handle"]), "x"
        ),
        Claim(GROUP, "debugpy: listen, attach and set the logpoint", sample([attached_ms]), "ms"),
        Claim(
            GROUP,
            "debugpy: events received a second, of a burst",
            sample([rate]),
            "/s",
            note=f"the last of {BURST} events arrived {lag_ms / 1000:.1f} s after the burst began",
        ),
        Claim(
            GROUP,
            "debugpy: memory",
            sample([opened["added_mb"]]),
            "MB",
            note="after listen(); its adapter process is not in it",
        ),
    ]


def _hits(worker: Worker, client: DapClient, rounds: int) -> list[float]:
    """Nanoseconds a call, the queue empty before each round."""
    timings = []
    for _ in range(rounds):
        expected = client.outputs + HITS
        timings.append(worker.ask("hit", calls=HITS))
        client.wait_for_outputs(expected, timeout_s=60)
    return timings


def _burst(worker: Worker, client: DapClient) -> tuple[float, float]:
    expected = client.outputs + BURST
    began = time.perf_counter()
    worker.tell("hit", calls=BURST)
    client.wait_for_outputs(expected, timeout_s=120)
    elapsed = time.perf_counter() - began
    worker.answer()
    return BURST / elapsed, elapsed * 1000


def _added(timings: list[float], bare_ns: float) -> Sample:
    return sample(timing - bare_ns for timing in timings)


def _slower(timings: list[float], before: list[float]) -> Sample:
    middle = sample(before).median
    return sample(timing / middle for timing in timings)


class Target:
    """The observed process."""

    def __init__(self, directory: Path) -> None:
        self.shop: Shop = open_shop(directory)
        self.order, self.qty, self.items = self.shop.call()

    def speed(self, rounds: int) -> dict[str, list[float]]:
        contenders = [
            Contender("handle", self.shop.module.handle, (self.order, self.qty, self.items)),
        ]
        calls = interleave(contenders, rounds=rounds, chunks=10, calls=1000)
        return {
            "handle": [timing.wall for timing in calls["handle"]],
            "beside": self.beside(rounds),
            "other": self.other(rounds),
        }

    def beside(self, rounds: int) -> list[float]:
        """Nanoseconds an iteration of a loop in the function that holds the second logpoint."""
        contender = Contender("beside", self.shop.module.beside, (self.order, LOOP))
        return [time_chunk(contender, 3).wall / LOOP for _ in range(rounds)]

    def other(self, rounds: int) -> list[float]:
        contender = Contender("other", self.shop.module.other, (LOOP,))
        return [time_chunk(contender, 3).wall / LOOP for _ in range(rounds)]

    def hit(self, calls: int) -> float:
        contender = Contender("hit", self.shop.module.handle, (self.order, self.qty, self.items))
        return time_chunk(contender, calls).wall

    def listen(self) -> dict[str, Any]:
        before_mb = resident_mb()
        began = time.perf_counter()
        import debugpy

        _, port = debugpy.listen(("127.0.0.1", 0))
        return {
            "port": port,
            "path": self.shop.path,
            "line": self.shop.line_of(PROBED_TEXT),
            "beside": self.shop.line_of(BESIDE_TEXT),
            "listen_ms": (time.perf_counter() - began) * 1000,
            "added_mb": resident_mb() - before_mb,
        }


def resident_mb() -> float:
    """Resident memory of this process; 0 where it can't be read."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * 4096 / 1e6


if __name__ == "__main__":
    target = Target(Path(sys.argv[1]))
    serve(
        {
            "speed": target.speed,
            "beside": target.beside,
            "other": target.other,
            "hit": target.hit,
            "listen": target.listen,
        }
    )
