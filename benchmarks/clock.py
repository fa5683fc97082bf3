"""Interleaved measurement: contenders take turns, so that a slow second of the machine hits them all.

A *chunk* is 10 000 calls of one contender, about 4 ms (as long as treetap's shipper sleeps); within a round the
contenders take turns, chunk by chunk, each time in another order. A round's value is the median over
its chunks, so that a chunk during which somebody else had the core doesn't count. The reported value
is the median over the rounds, with the quartiles.
"""

from __future__ import annotations

import os
from itertools import repeat
from statistics import median
from time import perf_counter_ns, thread_time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.sample import Sample, sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Contender(NamedTuple):
    """One way to do it.

    Attributes:
        name: For the table.
        call: What is measured, called with ``arguments``.
        arguments: Of the call.
        settle: Run after each chunk, outside of the clock: empties what the chunk has filled.
    """

    name: str
    call: Callable[..., Any]
    arguments: tuple[Any, ...]
    settle: Callable[[], Any] = lambda: None


class Timing(NamedTuple):
    """Nanoseconds a call: elapsed, and of this thread's processor time."""

    wall: float
    thread: float


def pin(core: int) -> bool:
    """Keep this process on one core, where the system can; say whether."""
    try:
        cores = sorted(os.sched_getaffinity(0))
        # A child inherits the one core of its parent: remember which there were at first.
        known = os.environ.setdefault("BENCHMARK_CORES", " ".join(map(str, cores))).split()
        os.sched_setaffinity(0, {int(known[core % len(known)])})
    except (AttributeError, OSError):
        return False
    return True


def time_chunk(contender: Contender, calls: int) -> Timing:
    call, arguments = contender.call, contender.arguments
    rounds = repeat(None, calls)
    wall_began, thread_began = perf_counter_ns(), thread_time_ns()
    for _ in rounds:
        call(*arguments)
    thread_ended, wall_ended = thread_time_ns(), perf_counter_ns()
    contender.settle()
    return Timing((wall_ended - wall_began) / calls, (thread_ended - thread_began) / calls)


def interleave(
    contenders: Sequence[Contender], *, rounds: int = 9, chunks: int = 15, calls: int = 10_000
) -> dict[str, list[Timing]]:
    """Nanoseconds a call of each contender, one timing a round."""
    for contender in contenders:
        time_chunk(contender, calls)  # warm: the interpreter specialises, the caches fill
    measured: dict[str, list[Timing]] = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        seen: dict[str, list[Timing]] = {contender.name: [] for contender in contenders}
        for chunk in range(chunks):
            first = chunk % len(contenders)
            for contender in (*contenders[first:], *contenders[:first]):
                seen[contender.name].append(time_chunk(contender, calls))
        for name, timings in seen.items():
            measured[name].append(
                Timing(median(t.wall for t in timings), median(t.thread for t in timings))
            )
    return measured


def added(measured: dict[str, list[Timing]], name: str, to: str, field: str = "wall") -> Sample:
    """What ``name`` costs on top of ``to``, round by round."""
    return sample(
        getattr(with_it, field) - getattr(without, field)
        for with_it, without in zip(measured[name], measured[to], strict=True)
    )


def ratio(measured: dict[str, list[Timing]], name: str, to: str, field: str = "wall") -> Sample:
    """How many times as long as ``to`` ``name`` takes, round by round."""
    return sample(
        getattr(one, field) / getattr(other, field)
        for one, other in zip(measured[name], measured[to], strict=True)
    )


def added_ratio(
    measured: dict[str, list[Timing]], name: str, against: str, to: str, field: str = "wall"
) -> Sample:
    """What ``name`` adds to ``to``, in units of what ``against`` adds to it, round by round."""
    rows = zip(measured[name], measured[against], measured[to], strict=True)
    return sample(
        (getattr(one, field) - getattr(bare, field))
        / (getattr(other, field) - getattr(bare, field))
        for one, other, bare in rows
    )
