"""Actors are nodes: seen by name, and probed like any process, however they are started."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import wait_until
from tests.scenario.conftest import Machine

PROGRAM = """
import os
import trio
from treetap import actor


def tick(n):
    double = 2 * n
    return double  # here


async def work():
    n = 0
    while True:
        n += 1
        tick(n)
        await trio.sleep(0.01)


async def nest():
    async with actor.open_nursery() as nursery:
        portal = await nursery.start_actor("leaf")
        await portal.run(work)


async def main():
    async with actor.open_nursery() as nursery, trio.open_nursery() as tasks:
        for method in ("warm", "fresh"):
            portal = await nursery.start_actor(method, start_method=method)
            tasks.start_soon(portal.run, work)
        portal = await nursery.start_actor("middle")
        tasks.start_soon(portal.run, nest)
        while not os.path.exists("go"):
            await trio.sleep(0.01)
        portal = await nursery.start_actor("late")
        tasks.start_soon(portal.run, work)


if __name__ == "__main__":
    trio.run(main)
"""


def start_tree(machine: Machine) -> subprocess.Popen[str]:
    script = machine.program("ticking.py", PROGRAM)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env=machine.environment,
        cwd=machine.folder,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    machine._started.append(process)
    return process


def test_actors_are_shown_by_their_names_below_the_node_that_started_them(machine: Machine):
    root = start_tree(machine)
    nodes = wait_until(lambda: len(found := machine.nodes()) == 5 and found, 30)
    by_name = {node["name"]: node for node in nodes.values()}
    assert set(by_name) == {"ticking.py", "warm", "fresh", "middle", "leaf"}
    assert len({node["tree"] for node in nodes.values()}) == 1
    for name in ("warm", "fresh", "middle"):
        assert by_name[name]["parent"] == by_name["ticking.py"]["id"]
    assert by_name["leaf"]["parent"] == by_name["middle"]["id"]
    assert "leaf" in machine.done("ps")
    root.terminate()
    root.wait(20)
    wait_until(lambda: not machine.nodes())


def test_a_probe_reaches_actors_that_run_and_those_that_come(machine: Machine):
    machine.done("daemon", "start", "--port", machine.daemon_url.rpartition(":")[2])
    root = start_tree(machine)
    wait_until(lambda: len(machine.nodes()) == 5, 30)
    machine.done("probe", "add", 'ticking.py:"return double"', "n", "double", "--name", "ticks")

    def seen() -> set[str]:
        return {event["name"] for event in machine.events("ticks")}

    wait_until(lambda: {"warm", "fresh", "leaf"} <= seen(), 30)
    (machine.folder / "go").touch()
    wait_until(lambda: "late" in seen(), 30)
    root.terminate()
    root.wait(20)


ONCE = """
import trio
from treetap import actor


async def double(n: int) -> int:
    twice = 2 * n
    return twice  # here


async def main():
    async with actor.open_nursery() as nursery:
        for number, method in enumerate(("warm", "fresh"), 1):
            portal = await nursery.start_actor(method, start_method=method)
            await portal.run(double, number)


if __name__ == "__main__":
    trio.run(main)
"""


def test_a_probe_is_in_the_program_itself_from_the_first_call_in_an_actor_on(machine: Machine):
    machine.done("daemon", "start", "--port", machine.daemon_url.rpartition(":")[2])
    script = machine.program("once.py", ONCE)
    probe = 'once.py:"return twice" twice'
    machine.done("run", "--probe", probe, "--", sys.executable, str(script))
    wait_until(lambda: {each["name"] for each in machine.events()} == {"warm", "fresh"}, 30)
