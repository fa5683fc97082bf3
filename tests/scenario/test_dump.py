"""``treetap dump`` and SIGUSR1: what every process of a real tree does."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.scenario.pty_shell import Shells
from treetap.debug.standing import WAITING, trees_with_prompts

TREE = """
    import asyncio, multiprocessing, shlex, subprocess, sys, threading, trio

    async def sleeps(task_status):
        task_status.started()
        await trio.sleep_forever()

    async def asks():
        word = "trio"
        breakpoint()

    async def in_trio():
        async with trio.open_nursery() as nursery:
            await nursery.start(sleeps)
            nursery.start_soon(asks)
            await trio.sleep(0)
            nursery.cancel_scope.deadline = trio.current_time()

    async def naps():
        await asyncio.sleep(1000)

    async def in_asyncio():
        word = "asyncio"
        task = asyncio.create_task(naps(), name="napping")
        await asyncio.sleep(0)
        breakpoint()
        task.cancel()

    if __name__ == "__main__":
        if sys.argv[1:] == ["leaf"]:
            asyncio.run(in_asyncio())
        else:
            child = multiprocessing.get_context("fork").Process(target=trio.run, args=(in_trio,))
            child.start()
            command = shlex.join([sys.executable, __file__, "leaf"])
            subprocess.run(["sh", "-c", command + "; exit 0"])
            child.join()
"""


@pytest.fixture
def shells(tmp_path):
    made = Shells(tmp_path)
    yield made
    made.close()


def treetap(shells: Shells, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "treetap.cli", *arguments],
        env=shells.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def titles(text: str) -> list[tuple[int, int]]:
    """``(depth, pid)`` of each process of a dump."""
    found = re.findall(r"^== .*? \((\d+)\), depth (\d+)", text, re.MULTILINE)
    return [(int(depth), int(pid)) for pid, depth in found]


def waiting(shells: Shells) -> list[int]:
    found = trees_with_prompts(home=str(shells.home)).values()
    return [one.pid for tree in found for one in tree if one.state == WAITING]


def test_a_tree_at_its_prompts_is_dumped_whole_in_order_by_command_and_by_signal(shells):
    script = shells.program(TREE)
    shell = shells.command("run", "--", "sh", "-c", f"{sys.executable} {script}; exit 0")
    shell.prompt()
    (waits,) = wait_until(lambda: waiting(shells), 20)

    found = [json.loads(line) for line in treetap(shells, "dump", "--json").splitlines()]
    assert [each["depth"] for each in found] == [0, 1, 2, 2, 3]
    root, main, *_rest = [each["pid"] for each in found]
    assert root == shell.pid
    by_name = {each["name"]: each for each in found if each["dump"] is None}
    assert by_name["sh"]["why"] == "no node: it can't be looked into"
    assert [each["dump"] is None for each in found].count(True) == 2
    by_state = {each["terminal"][0]["state"]: each for each in found if each["terminal"]}
    assert by_state["waiting"]["pid"] == waits
    holder = by_state["holding"]["pid"]

    text = treetap(shells, "dump")
    assert titles(text) == [(each["depth"], each["pid"]) for each in found]
    assert len(re.findall(r"^thread MainThread \(is at the prompt\)$", text, re.MULTILINE)) == 1
    assert (
        len(re.findall(r"^thread MainThread \(waits for the terminal\)$", text, re.MULTILINE)) == 1
    )
    source = Path(script).read_text().splitlines()
    for function, line in (
        ("sleeps", "await trio.sleep_forever()"),
        ("asks", "breakpoint()"),
        ("naps", "await asyncio.sleep(1000)"),
        ("in_asyncio", "breakpoint()"),
    ):
        within = next(n for n, each in enumerate(source) if f"def {function}(" in each)
        number = next(n for n, each in enumerate(source) if n > within and each.strip() == line) + 1
        assert f"{script}:{number} in {function}: {line}\n" in text
    assert re.search(r"\n   *[├└]─ __main__\.asks \(runs\)\n", text)
    assert re.search(r"\n   *[├└]─ __main__\.sleeps.*\n", text)
    assert "└─ napping" in text or "├─ napping" in text
    # Only what was named, and what is below it.
    assert titles(treetap(shells, "dump", str(main))) == titles(text)[1:]

    os.kill(holder, signal.SIGUSR1)
    shell.expect(r"== sh \(\d+\), depth 0")
    for each in found[1:]:
        shell.expect(rf"== .* \({each['pid']}\), depth {each['depth']}")
    shell.line("p word")
    shell.expect("'trio'|'asyncio'")
    shell.prompt()
    shell.line("c")
    shell.prompt()
    shell.line("c")
    shell.end()
    for each in found:
        assert shell.log.count(f"({each['pid']}), depth {each['depth']}: ") == 1


ACTORS = """
    import trio, treetap.actor as actor

    async def waits() -> None:
        await trio.sleep_forever()

    async def goes_on() -> None:
        async with actor.open_nursery() as nursery:
            portal = await nursery.start_actor("below")
            print("up", flush=True)
            await portal.run(waits)

    async def main():
        async with actor.open_nursery() as nursery:
            portal = await nursery.start_actor("above")
            await portal.run(goes_on)

    if __name__ == "__main__":
        trio.run(main)
"""


def places(found: list[dict[str, Any]]) -> list[list[Any]]:
    """Where the tasks stand of the one that is called below."""
    below = [each["dump"] for each in found if each["name"] == "below" and each["dump"]]
    loops = [loop for dump in below for loop in dump["loops"] if loop["kind"] == "trio"]
    assert len(loops) <= 1
    return [frame for loop in loops for task in loop["tasks"] for frame in task["frames"]]


def test_an_actor_stands_below_the_actor_that_started_it_whoever_forked_it(machine):
    script = machine.program("actors.py", ACTORS)
    errors = machine.folder / "stderr"
    with errors.open("w") as file:
        root = machine.start("run", "--", sys.executable, str(script), stderr=file)
    assert root.stdout.readline() == "up\n"
    wait_until(lambda: len(machine.nodes()) == 3, 20)
    at = [str(script), 4, "waits"]
    # "up" is said before the one below is called.
    found = wait_until(lambda: at in places(dump := machine.objects("dump", "--json")) and dump, 60)
    nodes = [(each["name"], each["depth"]) for each in found if each["dump"] is not None]
    assert nodes == [("actors.py", 0), ("above", 1), ("below", 2)]
    (spawner,) = [each for each in found if each["dump"] is None]
    assert (spawner["name"], spawner["depth"]) == ("treetap's spawner", 1)
    # A signal to the spawner, which nobody looks at, ends nobody.
    os.kill(spawner["pid"], signal.SIGUSR1)
    os.kill(root.pid, signal.SIGUSR1)
    dumped = [(each["depth"], each["pid"]) for each in found]
    wait_until(lambda: titles(errors.read_text()) == dumped, 20)
    assert machine.objects("dump", "--json")[-1]["pid"] == found[-1]["pid"]
