"""What a hit of three values costs in the thread that makes it.

All contenders are copies of one module with one line changed, or with a probe on it, and take turns in
one process. What a chunk has filled (the hand-written list, treetap's ring) is emptied after it, outside
of the clock, by the same thread: this is the cost of the hit alone. ``shipped`` has the whole of it.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.clock import Contender, Timing, added, added_ratio, interleave, ratio
from benchmarks.sample import Claim
from benchmarks.shop import (
    BESIDE_TEXT,
    EXPRESSIONS,
    FALSE_CONDITION,
    FALSE_LOCAL_CONDITION,
    HAND,
    PROBED_TEXT,
    Shop,
    open_shop,
)
from benchmarks.worker import Worker, serve
from treetap.model.location import Location
from treetap.model.probe import Probe
from treetap.probe.probeset import ProbeSet

if TYPE_CHECKING:
    from benchmarks.setting import Setting

GROUP = "hit"
LOOP = 20_000
HAS_MONITORING = hasattr(sys, "monitoring")
#: What a prototype of a Python callback has reached on each version, without guards.
MONITORED_AT_MOST_NS = 500.0 if sys.version_info >= (3, 13) else 1200.0


def measure(setting: Setting) -> list[Claim]:
    with Worker(f"benchmarks.claims.{GROUP}", str(setting.directory), core=1) as worker:
        answer = worker.ask("compare", rounds=setting.rounds)
        engines = answer.pop("engines")
        beside = worker.ask("beside", rounds=setting.rounds)
        after = worker.ask("after", rounds=setting.rounds)
    measured = _timings(answer)
    claims = [
        Claim(GROUP, "the same code in another module: the noise", added(measured, "same", "bare")),
        Claim(
            GROUP,
            "list.append((time_ns(), a, b, c)) by hand: the floor",
            added(measured, "append", "bare"),
        ),
        Claim(
            GROUP,
            f"treetap, three values ({engines['probed']})",
            added(measured, "probed", "bare"),
        ),
        Claim(
            GROUP,
            "treetap, three values, against the floor",
            added_ratio(measured, "probed", "append", "bare"),
            "x",
            at_most=1.2,
        ),
        Claim(
            GROUP,
            "the same, processor time of the thread",
            added_ratio(measured, "probed", "append", "bare", "thread"),
            "x",
        ),
        Claim(
            GROUP,
            f"treetap, condition {FALSE_LOCAL_CONDITION} false ({engines['local-conditional']})",
            added(measured, "local-conditional", "bare"),
            at_most=30,
        ),
        Claim(
            GROUP,
            f"treetap, condition {FALSE_CONDITION} false ({engines['conditional']})",
            added(measured, "conditional", "bare"),
            at_most=30,
        ),
        Claim(GROUP, f"if {FALSE_CONDITION}: by hand", added(measured, "if", "bare")),
    ]
    claims += [
        Claim(
            GROUP,
            "treetap, three values, trusted, against the floor",
            added_ratio(measured, "trusted", "append", "bare"),
            "x",
            note="without strict's checks that reading runs no code of the program",
        ),
        Claim(
            GROUP,
            "treetap, condition false, trusted",
            added(measured, "trusted-conditional", "bare"),
        ),
    ]
    if "monitored" in measured:
        claims.append(
            Claim(
                GROUP,
                f"treetap, three values, monitored ({engines['monitored']})",
                added(measured, "monitored", "bare"),
                at_most=MONITORED_AT_MOST_NS,
                note="code without source, or frames that already run",
            )
        )
    claims += [
        Claim(GROUP, "logging.info to a file, by hand", added(measured, "logging", "slow-bare")),
        Claim(
            GROUP,
            "logging.info to a file, against the floor",
            added_ratio(measured, "logging", "append", "bare"),
            "x",
        ),
    ]
    near, far = _timings(beside), _timings(after)
    for name, what in (
        ("beside", "a loop beside an armed probe"),
        ("other", "other functions of its module"),
        ("elsewhere", "functions of other modules"),
    ):
        claims.append(
            Claim(GROUP, what, ratio(near, f"{name} armed", f"{name} free"), "x", at_most=1.02)
        )
    claims.append(
        Claim(
            GROUP,
            "the probed function, after the probes are gone",
            ratio(far, "after", "bare"),
            "x",
            at_most=1.02,
        )
    )
    return claims


def _timings(answer: dict[str, Any]) -> dict[str, list[Timing]]:
    return {name: [Timing(*timing) for timing in timings] for name, timings in answer.items()}


def probe_at(
    shop: Shop,
    text: str,
    expressions: tuple[str, ...],
    condition: str = "",
    safety: str = "strict",
) -> Probe:
    """A probe on a line of ``shop``, without a budget: the governor is not what is measured."""
    return Probe(
        id=f"{Path(shop.path).stem}-{shop.line_of(text)}",
        location=Location(file=shop.path, line=shop.line_of(text)),
        expressions=expressions,
        condition=condition,
        safety=safety,
        budget_percent=0,
    )


def drain(probes: ProbeSet) -> None:
    while probes.drain():
        pass


def warm_up(probes: ProbeSet, shops: list[Shop]) -> None:
    """Hits and ticks, as the shipper makes them, until the engine has learned the values' types."""
    for _ in range(40):
        for shop in shops:
            for _ in range(200):
                shop.module.handle(*shop.call())
                shop.module.beside(shop.module.Order(1.5), 1)
        probes.tick()
        drain(probes)
        time.sleep(0.001)


class Target:
    """The measured process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.bare = open_shop(directory)
        self.probed = open_shop(directory)

    def contender(self, name: str, shop: Shop, probes: ProbeSet | None = None) -> Contender:
        def settle() -> None:
            shop.module.rows.clear()
            if probes is not None:
                drain(probes)

        return Contender(name, shop.module.handle, shop.call(), settle)

    def compare(self, rounds: int) -> dict[str, Any]:
        shops = {"probed": self.probed}
        conditions = {
            "conditional": FALSE_CONDITION,
            "local-conditional": FALSE_LOCAL_CONDITION,
            "trusted-conditional": FALSE_CONDITION,
        }
        for name in (*conditions, "trusted"):
            shops[name] = open_shop(self.directory)
        wanted = [
            probe_at(
                shop,
                PROBED_TEXT,
                EXPRESSIONS,
                conditions.get(name, ""),
                "trusted" if name.startswith("trusted") else "strict",
            )
            for name, shop in shops.items()
        ]
        if HAS_MONITORING:
            shops["monitored"] = open_shop(self.directory)
            wanted.append(probe_at(shops["monitored"], PROBED_TEXT, EXPRESSIONS))
            # Without its source a module can't be recompiled, which is what injection does.
            Path(shops["monitored"].path).unlink()
        probes = ProbeSet()
        probes.apply(wanted)
        warm_up(probes, list(shops.values()))
        engines = [status.engine or status.state for status in probes.statuses()]
        contenders = [
            self.contender("bare", self.bare),
            self.contender("same", open_shop(self.directory)),
            self.contender("append", open_shop(self.directory, HAND["append"])),
            self.contender("if", open_shop(self.directory, HAND["if"])),
        ]
        contenders += [self.contender(name, shop, probes) for name, shop in shops.items()]
        measured = interleave(contenders, rounds=rounds)
        lost = sum(status.lost for status in probes.statuses())
        recorded = [status.recorded for status in probes.statuses()]
        probes.close()
        if lost or not recorded[0]:
            raise RuntimeError(f"{lost} rows lost, {recorded} recorded: nothing was measured")
        measured |= self._logging(rounds)
        return {**measured, "engines": dict(zip(shops, engines, strict=True))}

    def _logging(self, rounds: int) -> dict[str, list[Timing]]:
        shop = open_shop(self.directory, HAND["logging"])
        log = shop.module.log
        log.setLevel(logging.INFO)
        log.propagate = False
        log.addHandler(logging.FileHandler(self.directory / "hits.log"))
        contenders = [self.contender("slow-bare", self.bare), self.contender("logging", shop)]
        return interleave(contenders, rounds=rounds, chunks=10, calls=300)

    def beside(self, rounds: int) -> dict[str, Any]:
        """Other code, with probes armed and without, in turns."""
        shop, far = open_shop(self.directory), open_shop(self.directory)
        contenders = [
            Contender("beside", shop.module.beside, (shop.module.Order(1.5), LOOP)),
            Contender("other", shop.module.other, (LOOP,)),
            Contender("elsewhere", far.module.other, (LOOP,)),
        ]
        wanted = [
            probe_at(shop, PROBED_TEXT, EXPRESSIONS),
            probe_at(shop, BESIDE_TEXT, ("order.total",)),
        ]
        measured: dict[str, list[Timing]] = {}
        for number in range(2 * rounds):
            # Each goes first as often as the other.
            for state in ("free", "armed") if number % 2 else ("armed", "free"):
                probes = ProbeSet()
                if state == "armed":
                    probes.apply(wanted)
                    warm_up(probes, [shop])
                for name, timings in interleave(contenders, rounds=1, chunks=15, calls=3).items():
                    measured.setdefault(f"{name} {state}", []).extend(timings)
                probes.close()
        return measured

    def after(self, rounds: int) -> dict[str, Any]:
        """The function that was probed by ``compare``, against one that never was."""
        contenders = [
            self.contender("bare", open_shop(self.directory)),
            self.contender("after", self.probed),
        ]
        return interleave(contenders, rounds=rounds)


if __name__ == "__main__":
    target = Target(Path(sys.argv[1]))
    serve({"compare": target.compare, "beside": target.beside, "after": target.after})
