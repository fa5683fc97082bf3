"""What a hit of three values costs in the thread that makes it.

All contenders are copies of one module with one line changed, and take turns in one process. What a
chunk has filled (the hand-written list, treetap's ring) is emptied after it, outside of the clock.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.clock import Contender, Timing, added, added_ratio, interleave
from benchmarks.sample import Claim
from benchmarks.shop import HAND, open_shop
from benchmarks.worker import Worker, serve

if TYPE_CHECKING:
    from benchmarks.setting import Setting

GROUP = "hit"


def measure(setting: Setting) -> list[Claim]:
    with Worker(f"benchmarks.claims.{GROUP}", str(setting.directory), core=1) as worker:
        answer = worker.ask("compare", rounds=setting.rounds)
    measured = {name: [Timing(*timing) for timing in timings] for name, timings in answer.items()}
    return [
        Claim(GROUP, "control: the same code in another module", added(measured, "same", "bare")),
        Claim(
            GROUP,
            "list.append((time_ns(), a, b, c)) by hand: the floor",
            added(measured, "append", "bare"),
        ),
        Claim(GROUP, "logging.info to a file, by hand", added(measured, "logging", "bare")),
        Claim(
            GROUP,
            "logging.info to a file, against the floor",
            added_ratio(measured, "logging", "append", "bare"),
            "x",
        ),
    ]


class Target:
    """The measured process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def contender(self, name: str, hand: str = "") -> Contender:
        shop = open_shop(self.directory, hand)
        return Contender(name, shop.module.handle, shop.call(), shop.module.rows.clear)

    def compare(self, rounds: int) -> dict[str, Any]:
        cheap = [
            self.contender("bare"),
            self.contender("same"),
            self.contender("append", HAND["append"]),
        ]
        measured = interleave(cheap, rounds=rounds)
        logged = self.contender("logging", HAND["logging"])
        log = logged.call.__globals__["log"]
        log.setLevel(logging.INFO)
        log.propagate = False
        log.addHandler(logging.FileHandler(self.directory / "hits.log"))
        slow = interleave([cheap[0], logged], rounds=rounds, chunks=10, calls=300)
        measured["logging"] = slow["logging"]
        return measured


if __name__ == "__main__":
    target = Target(Path(sys.argv[1]))
    serve({"compare": target.compare})
