"""Values sustained from one program to the daemon, and into its database.

The program makes hits of three values as fast as it can, for seconds: far more than anybody could ship.
What counts is how many rows the daemon has taken in that time, that every other row is counted as lost,
and that neither process grows. Once with the program and the daemon on one core, and the store given
what is left; once on a core each, counting what is committed to SQLite.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.running import RunningDaemon, probe_fields, processor_s, resident_mb
from benchmarks.sample import Claim, Sample, sample
from benchmarks.shop import EXPRESSIONS
from benchmarks.worker import Worker

if TYPE_CHECKING:
    from benchmarks.setting import Setting

GROUP = "shipped"
SECONDS = 3.0
VALUES = len(EXPRESSIONS)


class Flow(NamedTuple):
    """One measurement.

    Attributes:
        hits: Rows that the program made.
        elapsed_s: In this time.
        received: Rows that the daemon took in this time.
        stored: Rows that it committed, and how long that took after the first.
        stored_s: Until the last of them was.
        lost: Rows counted as lost, at all places, in both runs.
        uncounted: Rows that are nowhere, of both runs; 0 if all is well.
        daemon_share: Part of a core that the daemon used.
        program_share: Part of a core that the program used.
        daemon_mb: By how much the daemon grew from the first second on.
        program_mb: By how much the program grew.
        hit_ns: What a hit took, all in.
    """

    hits: int
    elapsed_s: float
    received: int
    stored: int
    stored_s: float
    lost: int
    uncounted: int
    daemon_share: float
    program_share: float
    daemon_mb: float
    program_mb: float
    hit_ns: float


def measure(setting: Setting) -> list[Claim]:
    rounds = max(3, setting.rounds // 3)
    together = [_flow(setting, daemon_core=1) for _ in range(rounds)]
    apart = [_flow(setting, daemon_core=0) for _ in range(rounds)]
    return [
        Claim(
            GROUP,
            "values a second to the daemon, both on one core",
            _over(together, lambda flow: flow.received * VALUES / flow.elapsed_s),
            "/s",
            at_least=300_000,
            note=(
                f"{_middle(together, 'received') / SECONDS:,.0f} rows/s of three values; the rest of "
                f"{_middle(together, 'hits') / SECONDS:,.0f} hits/s is counted as lost. "
                f"{_limit(together)}"
            ),
        ),
        Claim(
            GROUP,
            "values a second to the daemon, a core each",
            _over(apart, lambda flow: flow.received * VALUES / flow.elapsed_s),
            "/s",
            note=_limit(apart),
        ),
        Claim(
            GROUP,
            "values a second into SQLite, a core each",
            _over(apart, lambda flow: flow.stored * VALUES / flow.stored_s),
            "/s",
            at_least=100_000,
            note=f"{_middle(apart, 'stored') / SECONDS:,.0f} rows/s of three values",
        ),
        Claim(
            GROUP,
            "rows that were neither stored nor counted as lost",
            _over([*together, *apart], lambda flow: float(flow.uncounted)),
            "rows",
            at_most=0,
        ),
        Claim(
            GROUP,
            "growth of the program while it is overrun",
            _over([*together, *apart], lambda flow: flow.program_mb),
            "MB",
            at_most=16,
            note="from the first second on; rings are full by then",
        ),
        Claim(
            GROUP,
            "growth of the daemon while it is overrun",
            _over([*together, *apart], lambda flow: flow.daemon_mb),
            "MB",
            at_most=64,
            note="its queue to the store holds up to 48 MB",
        ),
        Claim(
            GROUP,
            "a hit at full flood, all in, a core each",
            _over(apart, lambda flow: flow.hit_ns),
            "ns",
            note="the function's own time, the hit, and its share of the shipper",
        ),
    ]


def _flow(setting: Setting, daemon_core: int) -> Flow:
    with (
        RunningDaemon(setting.directory, core=daemon_core) as daemon,
        Worker(
            "benchmarks.observed", str(setting.directory), variables=daemon.variables, core=1
        ) as worker,
    ):
        place = worker.ask("place")
        probe = daemon.client.add_probe(**probe_fields(place["path"], place["line"], EXPRESSIONS))
        worker.ask("wake")
        daemon.wait_until_armed(probe["id"])
        warm = worker.ask("flat_out", seconds=1.0)  # rings and queues are full after this
        before = _settled(daemon, probe["id"])
        pids = (daemon.process.pid, worker.pid)
        used, grown = [processor_s(pid) for pid in pids], [resident_mb(pid) for pid in pids]
        began = time.perf_counter()
        ran = worker.ask("flat_out", seconds=SECONDS)
        received = daemon.client.status()["rows"] - before["rows"]
        used = [processor_s(pid) - start for pid, start in zip(pids, used, strict=True)]
        grown = [resident_mb(pid) - start for pid, start in zip(pids, grown, strict=True)]
        after = _settled(daemon, probe["id"])
        settled_s = time.perf_counter() - began
        worker.ask("sleep")
    # What is in the database in the end is the one truth about all rows of both runs.
    kept, lost = _rows_kept_and_lost(daemon)
    return Flow(
        hits=ran["calls"],
        elapsed_s=ran["elapsed_s"],
        received=received,
        stored=after["written_rows"] - before["written_rows"],
        stored_s=max(ran["elapsed_s"], min(settled_s, after["settled_at_s"] - began)),
        lost=lost,
        uncounted=warm["calls"] + ran["calls"] - kept - lost,
        daemon_share=used[0] / ran["elapsed_s"],
        program_share=used[1] / ran["elapsed_s"],
        daemon_mb=grown[0],
        program_mb=grown[1],
        hit_ns=ran["elapsed_s"] / ran["calls"] * 1e9,
    )


def _settled(daemon: RunningDaemon, probe: str) -> dict[str, Any]:
    """The daemon's counts, once nothing is under way any more."""
    last: dict[str, Any] = {}
    last_change = time.perf_counter()
    while time.perf_counter() - last_change < 1.5:
        status, shown = daemon.client.status(), daemon.client.probe(probe)
        counts = {
            "rows": status["rows"],
            "written_rows": status["store"]["written_rows"],
            "recorded": shown["recorded"],
            "queued": status["store"]["queued_rows"],
        }
        if counts != last:
            last, last_change = counts, time.perf_counter()
        time.sleep(0.05)
    return {**last, "settled_at_s": last_change}


def _rows_kept_and_lost(daemon: RunningDaemon) -> tuple[int, int]:
    connection = sqlite3.connect(daemon.home / "treetap.db")
    with closing(connection):
        kept, lost = connection.execute(
            "SELECT count(*) FILTER (WHERE lost = 0), sum(lost) FROM event"
        ).fetchone()
    return kept, lost or 0


def _over(flows: list[Flow], of: Any) -> Sample:
    return sample(of(flow) for flow in flows)


def _middle(flows: list[Flow], field: str) -> float:
    return sample(float(getattr(flow, field)) for flow in flows).median


def _limit(flows: list[Flow]) -> str:
    daemon, program = _middle(flows, "daemon_share"), _middle(flows, "program_share")
    return f"of a core: program {program:.0%}, daemon {daemon:.0%}"
