"""``treetap ps`` and ``treetap stop``, while somebody of the tree is at a prompt and while nobody is."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.conftest import wait_until
from tests.scenario.pty_shell import Shells
from treetap.node.identity import process_start_ns

TREE = """
    import multiprocessing, os, signal, sys, time

    def leaf(number):
        breakpoint()
        print("leaf goes on", flush=True)
        time.sleep(1000)

    if __name__ == "__main__":
        fork = multiprocessing.get_context("fork")
        children = [fork.Process(target=leaf, args=(n,), name=f"leaf-{n}") for n in range(COUNT)]
        for child in children: child.start()
        HARDEN
        for child in children: child.join()
"""
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


@pytest.fixture
def shells(tmp_path):
    made = Shells(tmp_path)
    yield made
    made.close()


def run_tree(shells: Shells, count: int = 1, harden: str = ""):
    return shells.run(TREE.replace("COUNT", str(count)).replace("HARDEN", harden or "pass"))


class Command:
    """A command in another terminal: that is, with pipes."""

    def __init__(self, shells: Shells, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "treetap.cli", *arguments], env=shells.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


def test_ps_shows_who_is_at_a_prompt_and_the_queue_and_nothing_of_it_afterwards(shells):
    shell = run_tree(shells, 3)
    shell.prompt()

    def texts() -> str:
        return Command(shells, "ps").end()[1]

    shown = wait_until(lambda: (text := texts()).count("in the queue") == 2 and text, 30)
    header, root, *leaves = shown.splitlines()
    assert header.split() == ["NODE", "PID", "STATE", "AGE", "PROBES", "TERMINAL", "PROGRAM"]
    assert "prompt" not in root
    assert [line.count("sleeping") for line in leaves] == [1, 1, 1]  # its control plane answers
    places = ("at the prompt", "1st in the queue", "2nd in the queue")
    assert [sum(place in line for line in leaves) for place in places] == [1, 1, 1]
    for _ in range(2):
        shell.line("c")
        shell.prompt()
    shell.line("c")
    wait_until(lambda: "TERMINAL" not in texts(), 20)
    assert Command(shells, "stop").end()[0] == 0
    shell.end(None)


def test_stop_says_once_who_is_at_a_prompt_and_waits_until_it_has_continued(shells):
    shell = run_tree(shells)
    shell.prompt()
    stop = Command(shells, "stop")
    said = stop.process.stderr.readline()
    assert "at a prompt, or waiting for one" in said
    assert "treetap stop --force" in said
    shell.line("p number + 41")
    shell.expect("41")
    shell.prompt()
    assert stop.process.poll() is None
    shell.line("c")
    shell.expect("leaf goes on")
    assert stop.end() == (0, f"program.py {shell.pid} ended\n", "")
    shell.end(None)


def test_ctrl_c_leaves_the_tree_as_it_was(shells):
    shell = run_tree(shells)
    shell.prompt()
    stop = Command(shells, "stop")
    stop.process.stderr.readline()
    stop.process.send_signal(signal.SIGINT)
    assert stop.end() == (130, "", "")
    shell.ctrl_c()
    shell.line("p number + 41")
    shell.expect("41")
    shell.prompt()
    assert Command(shells, "stop", "--force").end()[0] == 0
    shell.end(None)


@pytest.mark.parametrize("options", [["--force"], ["--timeout", "0.2"]], ids=["force", "timeout"])
def test_by_force_a_holder_and_who_ignores_sigterm_end_and_the_terminal_is_as_before(
    shells, options
):
    shell = run_tree(shells, 2, STUBBORN)
    shell.prompt()
    code, out, err = Command(shells, "stop", *options).end()
    assert (code, out) == (0, f"program.py {shell.pid} ended\n")
    assert ("no longer waited for" in err) == (options != ["--force"])
    shell.end(None)


ACTORS = """
    import trio
    from treetap import actor

    async def leaf() -> None:
        word = 42
        breakpoint()
        await trio.sleep_forever()

    async def middle() -> None:
        async with actor.open_nursery() as nursery:
            portal = await nursery.start_actor("below")
            await portal.run(leaf)

    async def main():
        async with actor.open_nursery() as nursery:
            portal = await nursery.start_actor("above")
            await portal.run(middle)

    if __name__ == "__main__":
        trio.run(main)
"""


@pytest.mark.parametrize("is_forced", [False, True], ids=["after-the-prompt", "force"])
def test_a_tree_of_actors_is_waited_for_or_ended_by_force_and_the_terminal_is_as_before(
    shells, is_forced
):
    shell = shells.run(ACTORS)
    shell.prompt()
    stop = Command(shells, "stop", *(["--force"] if is_forced else []))
    if not is_forced:
        assert "below (" in stop.process.stderr.readline()
        shell.line("p word")
        shell.expect("42")
        shell.prompt()
        assert stop.process.poll() is None
        shell.line("c")
    assert stop.end() == (0, f"program.py {shell.pid} ended\n", "")
    shell.end(None)


def test_a_process_is_ended_with_all_below_it_and_its_parent_lives(machine):
    script = machine.program(
        "family.py",
        """
        import subprocess, sys, time
        if sys.argv[1:]:
            subprocess.Popen(["sleep", "1000"])
            print("up", flush=True)
            time.sleep(1000)
        print(subprocess.run([sys.executable, __file__, "child"]).returncode, flush=True)
        time.sleep(1000)
        """,
    )
    root = machine.start("run", "--", sys.executable, str(script))
    assert root.stdout.readline() == "up\n"
    (child,) = wait_until(lambda: set(machine.nodes()) - {root.pid}, 20)
    below = wait_until(
        lambda: [e["pid"] for e in machine.objects("dump", str(child), "--json")][1:], 20
    )
    assert machine.done("stop", str(child)) == f"family.py {child} ended\n"
    assert root.stdout.readline() == "-15\n"
    assert [process_start_ns(pid) for pid in below] == [0]
    assert root.poll() is None
    # Another tree: then one has to be named.
    other = machine.start("run", "--name", "other", "--", sys.executable, "-c", "input()")
    machine.wait_for_node(other.pid)
    refused = machine.treetap("stop")
    assert refused.returncode == 2
    assert f"family.py ({root.pid}), other ({other.pid})" in refused.stderr
    assert machine.treetap("stop", "nobody").returncode == 4
    machine.done("stop", "other", str(root.pid))
    assert root.wait(20) == other.wait(20) == -signal.SIGTERM
    assert machine.treetap("stop").returncode == 4
