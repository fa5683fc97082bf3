"""Calls and streams between two actors, against a bare trio socket pair that does the same.

The program has one core, its actor and the other end of the bare pair have the other. Each round takes
the bare pair first, then the actors, so that a ratio is of one second of the machine. A small message
is a dict of two fields; on the bare pair it is 32 bytes, neither encoded nor framed.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import trio

from benchmarks import remote
from benchmarks.rawpair import PIECE, SMALL, calls, messages, open_raw_pair
from benchmarks.sample import Claim, sample
from benchmarks.worker import Worker, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmarks.setting import Setting
    from treetap import actor

GROUP = "actor_messages"
CALLS, CALLS_IN_FLIGHT, IN_FLIGHT = 5_000, 19_200, 64
MESSAGES, PIECES = 100_000, 8_000
GROWTH_CALLS = 100_000


class Kind(NamedTuple):
    """One thing that is measured both ways.

    Attributes:
        name: Of the claim.
        unit: Of the rate.
        at_least: The target.
        factor: From a rate of messages to the unit.
        peer: What tractor's repository version did on such a machine (August 2026, trio 0.33, TCP).
    """

    name: str
    unit: str
    at_least: float
    factor: float
    peer: str


KINDS = {
    "call": Kind("calls a second, one at a time", "/s", 5_000, 1, "331 /s"),
    "in_flight": Kind("calls a second, 64 in flight", "/s", 15_000, 1, "329 /s, 10 in flight"),
    "small": Kind("small messages a second in a stream", "/s", 100_000, 1, "8,582 /s"),
    "piece": Kind("64 KiB pieces in a stream", "MB/s", 1_000, PIECE / 1e6, "273 MB/s"),
}


def measure(setting: Setting) -> list[Claim]:
    variables = {"TREETAP_HOME": str(setting.directory / "actors")}
    with Worker(f"benchmarks.claims.{GROUP}", variables=variables, core=0) as worker:
        rounds: list[dict[str, list[float]]] = worker.ask("rates", rounds=setting.rounds)
        growth = worker.ask("growth")
        hops = worker.ask("hops", rounds=setting.rounds)
    claims = []
    for key, kind in KINDS.items():
        ours = [each[key][1] * kind.factor for each in rounds]
        ratios = [each[key][1] / each[key][0] for each in rounds]
        claims += [
            Claim(
                GROUP,
                kind.name,
                sample(ours),
                kind.unit,
                at_least=kind.at_least,
                note=f"tractor: {kind.peer}, both on one core",
            ),
            Claim(GROUP, f"{kind.name}, against a bare socket pair", sample(ratios), "x"),
        ]
    claims.append(
        Claim(
            GROUP,
            "to_asyncio.run_task(): an asyncio function and back",
            sample(hops),
            "µs",
            note="two threads on one core",
        )
    )
    for side, grown_mb in growth.items():
        name = f"growth of the {side} over {GROWTH_CALLS:,} calls"
        peer = {"caller": "5.4 KB", "actor": "5.9 KB"}[side]
        claims.append(
            Claim(
                GROUP,
                name,
                sample([grown_mb]),
                "MB",
                at_most=5,
                note=f"tractor: {peer} a call, never freed",
            )
        )
    return claims


@asynccontextmanager
async def open_pair() -> AsyncIterator[tuple[actor.Portal, int]]:
    """An actor on the other core, and its pid."""
    from treetap import actor

    async with actor.open_nursery() as nursery:
        portal = await nursery.start_actor("other")
        yield portal, await portal.run(remote.stay_on, 1)


async def measure_rates(rounds: int) -> list[dict[str, list[float]]]:
    """Of each round and kind: messages a second of the bare pair, and ours."""
    async with open_raw_pair(1) as raw, open_pair() as (portal, _):
        await measure_round(raw, portal)  # for warming up
        return [await measure_round(raw, portal) for _ in range(rounds)]


async def measure_round(raw: trio.SocketStream, portal: actor.Portal) -> dict[str, list[float]]:
    small, piece = {"n": 1, "s": "sap"}, bytes(PIECE)
    return {
        "call": [await calls(raw, CALLS), await call_rate(portal)],
        "in_flight": [
            await calls(raw, CALLS_IN_FLIGHT, IN_FLIGHT),
            await in_flight_rate(portal, CALLS_IN_FLIGHT),
        ],
        "small": [
            await messages(raw, MESSAGES, SMALL),
            await stream_rate(portal, remote.swallow, MESSAGES, small),
        ],
        "piece": [
            await messages(raw, PIECES, PIECE),
            await stream_rate(portal, remote.swallow_pieces, PIECES, piece),
        ],
    }


async def call_rate(portal: actor.Portal) -> float:
    began = perf_counter()
    for number in range(CALLS):
        await portal.run(remote.add, number, 1)
    return CALLS / (perf_counter() - began)


async def in_flight_rate(portal: actor.Portal, count: int) -> float:
    async def call_on() -> None:
        for number in range(count // IN_FLIGHT):
            await portal.run(remote.add, number, 1)

    began = perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(IN_FLIGHT):
            nursery.start_soon(call_on)
    return count / (perf_counter() - began)


async def stream_rate(portal: actor.Portal, function: Any, count: int, value: Any) -> float:
    """Messages a second in one direction, until the other side has all of them."""
    async with portal.open_context(function) as (context, _):
        async with context.open_stream() as stream:
            began = perf_counter()
            for _ in range(count):
                await stream.send(value)
            await stream.send_eof()
            received = await stream.receive()
            elapsed_s = perf_counter() - began
    assert received == count
    return count / elapsed_s


async def measure_growth() -> dict[str, float]:
    """MB by which each side has grown after many calls; the first ones are for warming up."""
    from benchmarks.running import resident_mb

    async with open_pair() as (portal, pid):
        await in_flight_rate(portal, 10_048)
        pids = {"caller": os.getpid(), "actor": pid}
        before = {side: resident_mb(number) for side, number in pids.items()}
        await in_flight_rate(portal, GROWTH_CALLS)
        return {side: resident_mb(number) - before[side] for side, number in pids.items()}


async def measure_hops(rounds: int) -> list[float]:
    """Microseconds of a call of an asyncio function from trio."""
    from treetap.actor import to_asyncio

    found = []
    for _ in range(rounds + 1):
        began = perf_counter()
        for number in range(CALLS):
            await to_asyncio.run_task(remote.add, number, 1)
        found.append((perf_counter() - began) / CALLS * 1e6)
    return found[1:]


if __name__ == "__main__":
    serve(
        {
            "hops": lambda rounds: trio.run(measure_hops, rounds),
            "rates": lambda rounds: trio.run(measure_rates, rounds),
            "growth": lambda: trio.run(measure_growth),
        }
    )
