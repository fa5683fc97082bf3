"""Live nodes without a link: real processes, which sleep."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys

import pytest

from treetap.daemon.nearby import Nearby
from treetap.errors import ControlPlaneError

PROGRAM = "import treetap; treetap.init(name='near'); print('up', flush=True); input()"


@pytest.fixture
def program(home):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "up\n"
        yield process
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """Who is late counts as silent; none of these processes has to be."""
    limits = {**Nearby.ask.__kwdefaults__, "timeout_s": 60.0}
    monkeypatch.setattr(Nearby.ask, "__kwdefaults__", limits)


def on_loop(home, act):
    async def main():
        return await act(Nearby(home / "run" / "nodes"))

    return asyncio.run(main())


def test_a_sleeping_process_is_found_and_says_how_it_is(home, program):
    async def look(nearby):
        nodes = await nearby.all()
        return nodes, await nearby.statuses(nodes)

    (node,), (status,) = on_loop(home, look)
    assert (node.identity.name, node.identity.pid) == ("near", program.pid)
    assert status["state"] == "sleeping"


def test_a_process_is_named_by_its_name_its_pid_its_id_and_its_tree(home, program):
    async def named(nearby):
        (node,) = await nearby.all()
        words = ("", "near", str(program.pid), node.identity.id, node.identity.tree)
        return [await nearby.named(word) for word in words]

    assert [[n.identity.pid for n in nodes] for nodes in on_loop(home, named)] == [
        [program.pid]
    ] * 5


def test_a_name_that_nobody_has_is_an_error_that_lists_the_names_there_are(home, program):
    with pytest.raises(ControlPlaneError) as caught:
        on_loop(home, lambda nearby: nearby.named("nobody"))
    assert caught.value.slug == "node-unknown"
    assert f"near ({program.pid})" in caught.value.hint


def test_a_wake_that_fails_says_why_and_a_sleep_works(home, program):
    async def act(nearby):
        nodes = await nearby.all()
        # Nobody listens on port 1.
        return await nearby.wake(nodes, "http://127.0.0.1:1"), await nearby.sleep(nodes)

    (woken,), (slept,) = on_loop(home, act)
    assert "http://127.0.0.1:1" in woken
    assert slept == ""


def test_files_of_dead_processes_and_of_strangers_are_passed_over(home, program):
    directory = home / "run" / "nodes"
    (entry,) = [json.loads(path.read_text()) for path in directory.glob("*.json")]
    for name, other in {
        "dead": {**entry, "start_ns": entry["start_ns"] + 1},
        "elsewhere": {**entry, "boot_id": "another machine's"},
        "unsound": {"pid": "x"},
    }.items():
        (directory / f"{name}.json").write_text(json.dumps(other))
    (directory / "torn.json").write_text('{"pid": 1')
    nodes = on_loop(home, lambda nearby: nearby.all())
    assert [node.identity.pid for node in nodes] == [program.pid]


@pytest.mark.parametrize("after_s", [0, 0.001, 0.01, 0.1])
def test_who_no_longer_waits_for_a_stopped_process_leaves_no_thread_that_does(
    home, program, after_s
):
    async def give_up(nearby):
        (node,) = await nearby.all()
        os.kill(program.pid, signal.SIGSTOP)
        try:
            # Its kernel takes the request; nobody ever reads it.
            asking = asyncio.create_task(nearby.ask(node, "status", timeout_s=600))
            await asyncio.wait([asking], timeout=after_s)
            asking.cancel()
            await asyncio.wait([asking])
            # This waits for the threads of the loop.
            await asyncio.get_running_loop().shutdown_default_executor()
        finally:
            os.kill(program.pid, signal.SIGCONT)
        return asking.cancelled()

    assert on_loop(home, give_up)


def test_a_process_that_is_gone_meanwhile_is_told_as_silent(home, program):
    async def ask(nearby):
        (node,) = await nearby.all()
        program.stdin.close()
        await asyncio.to_thread(program.wait, 20)
        (status,) = await nearby.statuses([node])
        return status

    status = on_loop(home, ask)
    assert status["state"] == "no answer"
    assert "near" in status["error"]


def test_a_home_without_nodes_has_none(tmp_path):
    assert on_loop(tmp_path, lambda nearby: nearby.all()) == []
