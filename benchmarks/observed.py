"""The observed program of the claims that need a daemon: a worker that is a node."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

import treetap
from benchmarks.clock import Contender, Timing, interleave
from benchmarks.shop import PROBED_TEXT, open_shop
from benchmarks.worker import serve


class Program:
    """``handle`` called in the main thread as told, or all the time by a thread."""

    def __init__(self, directory: Path) -> None:
        self.shop = open_shop(directory)
        self.order, self.qty, self.items = self.shop.call()
        self._stop: list[object] = []
        self._busy: threading.Thread | None = None

    def place(self) -> dict[str, Any]:
        """Become a sleeping node; say where the probed line is."""
        treetap.init(name="shop")
        return {"path": self.shop.path, "line": self.shop.line_of(PROBED_TEXT)}

    def wake(self, calls: int = 0) -> dict[str, int]:
        """Wake, then make some hits."""
        began_ns = time.time_ns()
        treetap.wake()
        awake_ns = time.time_ns()
        for _ in range(calls):
            self.shop.module.handle(self.order, self.qty, self.items)
        return {"began_ns": began_ns, "awake_ns": awake_ns}

    def sleep(self) -> str:
        treetap.sleep()
        return "asleep"

    def flat_out(self, seconds: float) -> dict[str, float]:
        """Hit as fast as it goes; say how often, and how long it took."""
        handle, order, qty, items = self.shop.module.handle, self.order, self.qty, self.items
        thousand = range(1000)
        calls = 0
        began = time.perf_counter()
        thread_began = time.thread_time()
        while time.perf_counter() - began < seconds:
            for _ in thousand:
                handle(order, qty, items)
            calls += 1000
        return {
            "calls": calls,
            "elapsed_s": time.perf_counter() - began,
            "thread_s": time.thread_time() - thread_began,
        }

    def paced(self, seconds: float, every_s: float) -> int:
        """Hit now and then, as a program with some traffic does."""
        calls = 0
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            self.shop.module.handle(self.order, self.qty, self.items)
            calls += 1
            time.sleep(every_s)
        return calls

    def busy(self) -> str:
        """Hit all the time from now on, in a thread that never waits."""
        self._stop.clear()
        self._busy = threading.Thread(target=self._keep_busy, daemon=True)
        self._busy.start()
        return "busy"

    def rest(self) -> str:
        self._stop.append(None)
        if self._busy is not None:
            self._busy.join()
        return "resting"

    def _keep_busy(self) -> None:
        while not self._stop:
            for _ in range(100):
                self.shop.module.handle(self.order, self.qty, self.items)

    def speed(self, rounds: int) -> list[Timing]:
        contender = Contender("handle", self.shop.module.handle, self.shop.call())
        return interleave([contender], rounds=rounds)["handle"]


if __name__ == "__main__":
    program = Program(Path(sys.argv[1]))
    serve(
        {
            name: getattr(program, name)
            for name in ("place", "wake", "sleep", "flat_out", "paced", "busy", "rest", "speed")
        }
    )
