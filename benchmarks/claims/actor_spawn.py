"""How long actors take to be there, and to be gone; and what importing them takes.

Measured in one program that has both cores, as its actors have. The floor is the same with nothing
but trio: a fork of a process that has trio imported (or a new interpreter that imports it), which runs
trio and answers once over a socket pair; gone when it is reaped.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import AsyncExitStack
from time import perf_counter
from typing import TYPE_CHECKING, Any

import trio

from benchmarks import remote
from benchmarks.rawpair import SMALL, answer
from benchmarks.sample import Claim, Sample, sample
from benchmarks.worker import Worker, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.setting import Setting

GROUP = "actor_spawn"
MANY, DEPTH, WIDTH = 10, 3, 3
TREE = WIDTH + WIDTH**2 + WIDTH**3
_FRESH = "import socket, sys, trio; from benchmarks.rawpair import answer; trio.run(answer, int(sys.argv[1]))"
_IMPORTS = {
    "bare": "pass",
    "trio": "import trio",
    "actor": "import treetap.actor",
    "used": "from treetap.actor import open_nursery",
}
Times = dict[str, list[float]]


def measure(setting: Setting) -> list[Claim]:
    variables = {"TREETAP_HOME": str(setting.directory / "actors")}
    module = f"benchmarks.claims.{GROUP}"
    ours: Times = {}
    raw: Times = {}
    with (
        Worker(module, variables=variables) as actors,
        Worker(module, variables=variables) as floor,
    ):
        for _ in range(setting.rounds):
            _add(ours, actors.ask("actors"))
            _add(raw, floor.ask("floor"))
    return [*_spawn_claims(ours, raw), *_import_claims(_import_times(setting.rounds))]


def _spawn_claims(ours: Times, raw: Times) -> list[Claim]:
    many = f"{MANY} actors"
    rows: list[tuple[str, str, str, float | None, str]] = [
        ("first", "first", "open_nursery() to the first answer of an actor", None, "266 ms"),
        ("warm", "warm", "start_actor() to its first answer, warm", 25, "266 ms"),
        ("fresh", "fresh", "start_actor() to its first answer, fresh", None, "266 ms"),
        ("many_up", "many_up", f"{many} up at once, one answer of each", 150, "2,767 ms"),
        ("many_gone", "many_gone", f"{many} told to end, until all are reaped", 100, "723 ms"),
        (
            "tree_gone",
            "",
            f"a tree of {TREE} actors cancelled, until all are gone",
            500,
            "2,055 ms",
        ),
    ]
    claims = []
    for key, floor, name, at_most, peer in rows:
        note = f"tractor: {peer}, all on one core"
        claims.append(Claim(GROUP, name, sample(ours[key]), "ms", at_most=at_most, note=note))
        if floor in raw:
            pairs = zip(ours[key], raw[floor], strict=True)
            ratio = sample(one / other for one, other in pairs)
            claims.append(
                Claim(
                    GROUP,
                    f"{name}, against bare trio",
                    ratio,
                    "x",
                    note=f"which takes {sample(raw[floor]).median:.1f} ms",
                )
            )
    claims.append(Claim(GROUP, f"a tree of {TREE} actors up", sample(ours["tree_up"]), "ms"))
    return claims


def _import_claims(times: Times) -> list[Claim]:
    def against_trio(name: str) -> Sample:
        rows = zip(times[name], times["trio"], times["bare"], strict=True)
        return sample((one - bare) / (other - bare) for one, other, bare in rows)

    return [
        Claim(
            GROUP,
            "import treetap.actor alone, against import trio",
            against_trio("actor"),
            "x",
            note="over a bare interpreter, both; names are loaded on first use",
        ),
        Claim(
            GROUP,
            "from treetap.actor import open_nursery, against import trio",
            against_trio("used"),
            "x",
            at_most=1.3,
            note="over a bare interpreter, both: all that it needs, trio among it",
        ),
    ]


def _import_times(rounds: int) -> Times:
    """Milliseconds of whole processes, which take turns; the first round writes bytecode."""
    times: Times = {name: [] for name in _IMPORTS}
    for number in range(2 * rounds + 1):
        for name, program in _IMPORTS.items():
            began = perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            if number:
                times[name].append((perf_counter() - began) * 1000)
    return times


def _add(times: Times, more: Times) -> None:
    for name, values in more.items():
        times.setdefault(name, []).extend(values)


# In the worker: actors.


def measure_actors() -> Times:
    """Milliseconds of each thing, once."""
    times: Times = {"first": [trio.run(_first)]}
    for measured in (trio.run(_one_by_one), trio.run(_many), trio.run(_tree)):
        times.update(measured)
    return times


async def _first() -> float:
    from treetap import actor

    began = perf_counter()
    async with actor.open_nursery() as nursery:
        portal = await nursery.start_actor("first")
        await portal.run(remote.add, 1, 1)
        return (perf_counter() - began) * 1000


async def _one_by_one() -> Times:
    from treetap import actor

    times: Times = {}
    async with actor.open_nursery() as nursery:
        await nursery.start_actor("other")  # the spawner is up, and warm, after this
        for method in ("warm", "fresh"):
            began = perf_counter()
            portal = await nursery.start_actor("one", start_method=method)
            await portal.run(remote.add, 1, 1)
            times[method] = [(perf_counter() - began) * 1000]
    return times


async def _many() -> Times:
    from treetap import actor

    async with actor.open_nursery() as nursery:
        await nursery.run(remote.add, 1, 1)

        async def start(number: int) -> None:
            portal = await nursery.start_actor(f"one-{number}")
            await portal.run(remote.add, number, 1)

        began = perf_counter()
        async with trio.open_nursery() as tasks:
            for number in range(MANY):
                tasks.start_soon(start, number)
        up = perf_counter()
    return {"many_up": [(up - began) * 1000], "many_gone": [(perf_counter() - up) * 1000]}


async def _tree() -> Times:
    began = perf_counter()
    pids: list[int] = []
    with trio.CancelScope() as scope:
        async with AsyncExitStack() as stack:
            pids = await remote.grow(stack, DEPTH, WIDTH)
            up = perf_counter()
            scope.cancel()
            await trio.lowlevel.checkpoint()
    gone = perf_counter()
    assert len(set(pids)) == TREE
    assert not any(_exists(pid) for pid in pids)
    return {"tree_up": [(up - began) * 1000], "tree_gone": [(gone - up) * 1000]}


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# In the other worker: the floor.


def measure_floor() -> Times:
    """Milliseconds of each thing, once, with nothing but trio."""
    fresh_ms = _answered(_start_fresh)
    warm_ms = _answered(_fork)
    began = perf_counter()
    here = [_fork() for _ in range(MANY)]
    for sock, _ in here:
        _ask(sock)
    up = perf_counter()
    for sock, _ in here:
        sock.close()
    for _, end in here:
        end()
    gone = perf_counter()
    return {
        # Of a program that has no server to fork from yet.
        "first": [fresh_ms],
        "fresh": [fresh_ms],
        "warm": [warm_ms],
        "many_up": [(up - began) * 1000],
        "many_gone": [(gone - up) * 1000],
    }


Started = tuple[socket.socket, "Callable[[], Any]"]


def _answered(start: Callable[[], Started]) -> float:
    began = perf_counter()
    sock, end = start()
    with sock:
        _ask(sock)
        elapsed_ms = (perf_counter() - began) * 1000
    end()
    return elapsed_ms


def _fork() -> Started:
    here, there = socket.socketpair()
    pid = os.fork()
    if not pid:
        here.close()
        try:
            trio.run(answer, there.detach())
        finally:
            os._exit(0)
    there.close()
    return here, lambda: os.waitpid(pid, 0)


def _start_fresh() -> Started:
    here, there = socket.socketpair()
    with there:
        number = there.fileno()
        process = subprocess.Popen([sys.executable, "-c", _FRESH, str(number)], pass_fds=[number])
    return here, process.wait


def _ask(sock: socket.socket) -> None:
    sock.sendall(b"e")
    sock.recv(1)
    sock.sendall(SMALL.to_bytes(8, "big"))
    sock.sendall(bytes(SMALL))
    assert len(sock.recv(SMALL, socket.MSG_WAITALL)) == SMALL


def use_all_cores() -> None:
    """The benchmark itself has one; what it starts here has them all again."""
    known = os.environ.get("BENCHMARK_CORES", "").split()
    if known:
        os.sched_setaffinity(0, map(int, known))


if __name__ == "__main__":
    use_all_cores()
    serve({"actors": measure_actors, "floor": measure_floor})
