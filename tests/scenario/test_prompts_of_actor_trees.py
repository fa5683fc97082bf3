"""Chains and trees of actors on one terminal: a prompt at the bottom, and trouble further up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.actor.processes import marked
from tests.conftest import wait_until
from tests.scenario.actor_trees import CHAIN, Chain, prompts_in, stays
from tests.scenario.pty_shell import Shells

DEPTHS = pytest.mark.parametrize("depth", [2, 3])
#: How long "for as long as it takes" is looked at: longer than a grace, and longer than all of them.
BRIEF_S, LONG_S = 0.8, 3.0


@pytest.fixture
def shells(tmp_path):
    made = Shells(tmp_path)
    yield made
    made.close()


@DEPTHS
def test_a_leaf_has_the_prompt_ctrl_c_hits_nobody_and_all_end_well(shells, depth):
    chain = Chain(shells, depth, "pause")
    shell = chain.shell
    shell.expect(rf"treetap: leaf \({chain.pids['leaf']}\), depth {depth}, task leaf\n")
    shell.prompt()
    shell.ctrl_c(5)
    assert chain.is_alive()
    chain.answers()
    shell.line("c")
    for name in ("leaf goes on", *(f"m{level} is through" for level in range(1, depth))):
        shell.expect(name)
    shell.expect("root is through")
    shell.end()


@DEPTHS
def test_a_root_that_fails_waits_for_the_leaf(shells, depth):
    chain = Chain(shells, depth, "linger", "root:raise")
    shell = chain.shell
    shell.prompt()
    chain.now()
    shell.expect(
        rf"{chain.names[0]} \(.*\) ends when leaf \({chain.pids['leaf']}\) has left the prompt"
    )
    shell.ctrl_c()
    chain.answers()
    assert chain.is_alive()
    shell.line("c")
    shell.expect("leaf is cancelled")
    chain.wait_for_prompt_of("program")
    shell.line("c")
    assert "LookupError: root broke" in shell.end(1)
    assert prompts_in(shell.log) == ["leaf", "program"]


@pytest.mark.parametrize(("debug", "depth"), [("on", 3), ("each", 1), ("each", 2), ("each", 3)])
def test_a_crash_is_shown_where_it_arises_and_further_up_only_if_asked(shells, depth, debug):
    chain = Chain(shells, depth, "crash", debug=debug)
    shell = chain.shell
    wanted = ["leaf"]
    if debug == "each":
        wanted += [*reversed(chain.names[:-1]), "program"]
    for name in wanted:
        shell.expect(rf"treetap: {name} \(\d+\), .*post-mortem of .*\n")
        shell.prompt()
        shell.ctrl_c(2)
        shell.line("p how")
        shell.expect("'crash'")
        shell.prompt()
        shell.line("c")
    assert "ValueError: the leaf broke" in shell.end(1)
    assert prompts_in(shell.log) == wanted


@DEPTHS
def test_a_parent_that_fails_leaves_the_leaf_at_its_prompt_and_has_its_own_after(shells, depth):
    chain = Chain(shells, depth, "linger", "m1:raise", debug="each")
    shell = chain.shell
    shell.prompt()
    chain.now()
    shell.expect(rf"leaf \(.*\) ends when leaf \({chain.pids['leaf']}\) has left the prompt.*\n")
    stays(shell, LONG_S if depth == 3 else BRIEF_S)
    shell.ctrl_c(3)
    chain.answers()
    assert chain.is_alive()
    shell.line("c")
    shell.expect(r"treetap: m1 .* post-mortem of LookupError: m1 broke\n> .*\)upset\(\)\n")
    shell.prompt()
    shell.ctrl_c()
    shell.line("c")
    for name in [*reversed(chain.names[:-2]), "program"]:
        chain.wait_for_prompt_of(name)
        shell.line("c")
    assert "LookupError: m1 broke" in shell.end(1)
    assert "leaf is cancelled" in shell.log


@pytest.mark.parametrize(
    ("way", "depth"), [("cancel", 2), ("cancel", 3), ("timeout", 3), ("context", 2)]
)
def test_nobody_ends_who_is_at_a_prompt_and_after_it_the_end_comes(shells, depth, way):
    chain = Chain(shells, depth, "linger", f"root:{way}", debug="each")  # which is no crash
    shell = chain.shell
    shell.prompt()
    chain.now()
    shell.expect(rf"root does {way}\n")
    # The one that is cancelled says it, where it isn't told to end itself.
    told = "leaf" if way == "context" else chain.names[0]
    shell.expect(
        rf"{told} \(.*\) ends when leaf \({chain.pids['leaf']}\) has left the prompt; .*\n"
    )
    stays(shell, BRIEF_S)
    shell.ctrl_c(3)
    chain.answers()
    assert chain.is_alive()
    shell.line("c")
    shell.expect("leaf is cancelled")
    if way == "cancel":
        shell.expect("cancelled\n")
    shell.end(1 if way == "cancel" else 0)
    assert len(set(chain.said)) == len(chain.said)


def test_a_leaf_whose_broker_is_killed_keeps_its_prompt_all_the_same(shells):
    chain = Chain(shells, 2, "linger", "root:cancel")
    shell = chain.shell
    shell.prompt()
    os.kill(shell.broker(), signal.SIGKILL)
    chain.now()
    shell.expect(rf"m1 \(.*\) ends when leaf \({chain.pids['leaf']}\) has left the prompt; .*\n")
    stays(shell, BRIEF_S)
    shell.ctrl_c(3)
    chain.answers()
    shell.line("c")
    shell.expect("leaf is cancelled")
    shell.end(1)


@DEPTHS
def test_who_crashes_beside_a_leaf_at_its_prompt_has_the_next_one(shells, depth):
    chain = Chain(shells, depth, "linger", "m1:start")
    shell = chain.shell
    shell.prompt()
    chain.now()
    shell.expect("m1 does start\n")
    chain.wait_for_waiting("twig")
    shell.ctrl_c(3)
    chain.answers()
    shell.line("c")
    chain.wait_for_prompt_of("twig")
    shell.ctrl_c(3)
    shell.line("c")
    shell.expect("leaf is cancelled")
    assert "KeyError: 'twig'" in shell.end(1)
    assert prompts_in(shell.log) == ["leaf", "twig"]


@DEPTHS
def test_a_leaf_whose_parent_is_killed_keeps_its_prompt_and_ends_after_it(shells, depth):
    chain = Chain(shells, depth, "linger", debug="off")
    shell = chain.shell
    shell.prompt()
    os.kill(chain.pids["m1"], signal.SIGKILL)
    shell.expect(rf"m1 \(.*\) ends when leaf \({chain.pids['leaf']}\) has left the prompt; .*\n")
    stays(shell, BRIEF_S)
    shell.ctrl_c(3)
    chain.answers()
    shell.line("c")
    assert "ActorDied: The actor m1" in shell.end(1)


@pytest.mark.parametrize(("depth", "leaf"), [(2, "linger"), (3, "step")])
def test_sigterm_to_the_root_waits_for_nobody(shells, depth, leaf):
    chain = Chain(shells, depth, leaf, "root:cancel")
    shell = chain.shell
    shell.prompt()
    if leaf == "step":
        shell.line("n")
        shell.prompt()
        shell.line("n")
    else:
        chain.now()
        shell.expect("has left the prompt")  # somebody waits for it already
    os.kill(shell.pid, signal.SIGTERM)
    shell.end(-signal.SIGTERM)


@DEPTHS
def test_a_terminal_that_is_closed_ends_a_tree_at_its_prompt(shells, depth):
    chain = Chain(shells, depth, "linger")
    chain.shell.prompt()
    chain.shell.hang_up()
    wait_until(lambda: not chain.shell.children())


def test_sigterm_to_the_root_at_its_own_prompt_ends_it_all(shells):
    script = shells.program(
        """
        import trio
        from treetap import actor

        async def main():
            async with actor.open_nursery(debug=True) as nursery:
                await nursery.start_actor("idle")
                breakpoint()

        if __name__ == "__main__":
            trio.run(main)
        """
    )
    shell = shells.plainly(sys.executable, script)
    shell.prompt()
    os.kill(shell.pid, signal.SIGTERM)
    shell.end(-signal.SIGTERM)


@DEPTHS
def test_sigterm_to_a_root_without_a_terminal_ends_who_waits_for_an_answer(shells, depth):
    shells.environment["TREETAP_PAUSE_TIMEOUT_S"] = "600"
    script = shells.program(CHAIN)
    command = [sys.executable, script, str(depth), "on", "pause"]
    with subprocess.Popen(
        command, env=shells.environment, start_new_session=True, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as program:  # fmt: skip
        said = program.stdout.readline()
        while "waits for somebody to answer its prompt" not in said:
            assert said
            said = program.stdout.readline()
        program.send_signal(signal.SIGTERM)
        # At the end of this stream nobody is left who could write to it.
        assert "goes on" not in program.stdout.read()
    assert program.returncode == -signal.SIGTERM
    wait_until(lambda: not marked(f"TREETAP_HOME={shells.home}"))
