"""Actors on one terminal, beside each other: whose crash is shown, who waits for whom, who is left alone."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from tests.conftest import wait_until
from tests.scenario.actor_trees import Chain, prompts_in, waiting_names
from tests.scenario.pty_shell import Shells


@pytest.fixture
def shells(tmp_path):
    made = Shells(tmp_path)
    yield made
    made.close()


PAIR = """
    import os, sys, trio
    from treetap import actor

    def say(*words):
        os.write(1, (" ".join(map(str, words)) + "\\n").encode())

    async def stop(number):
        breakpoint()
        say("number", number, "goes on")
        return number

    async def crash(number):
        raise ValueError(f"number {number} broke")

    async def call(portal, function, number):
        try:
            say("got", await portal.run(function, number))
        except Exception as error:
            say("got", type(error).__name__, error)
            if function is crash:
                raise

    async def main():
        FUNCTION = {"stop": stop, "crash": crash}[sys.argv[1]]
        async with actor.open_nursery() as nursery:
            portals = [
                await nursery.start_actor(f"a{number}", debug=sys.argv[2 + number] == "debug")
                for number in range(len(sys.argv) - 2)
            ]
            for portal in portals:
                say(portal.actor.name, "is", portal.actor.pid)
            async with trio.open_nursery() as tasks:
                for number, portal in enumerate(portals):
                    tasks.start_soon(call, portal, FUNCTION, number)
        say("the root is through")

    if __name__ == "__main__":
        trio.run(main)
"""


def run_pair(shells, *arguments):
    return shells.plainly(sys.executable, shells.program(PAIR), *arguments)


def holder_and_waiter(shells):
    """The shell, and the pids of both."""
    shell = run_pair(shells, "stop", "debug", "debug")
    pids = [int(shell.expect(rf"a{number} is (\d+)\n")[1]) for number in range(2)]
    holder = int(shell.expect(r"treetap: a\d \((\d+)\)")[1])
    shell.prompt()
    waiting = f"a{1 - pids.index(holder)}"
    wait_until(lambda: waiting in waiting_names(shell, shells.home))
    return shell, holder, pids[1 - pids.index(holder)]


@pytest.mark.parametrize("order", [("debug", "no"), ("no", "debug")])
def test_only_an_actor_that_is_to_be_debugged_has_a_prompt(shells, order):
    shell = run_pair(shells, "crash", *order)
    number = order.index("debug")
    # The other one's crash goes up at once, and waits for this prompt.
    shell.expect(
        rf"treetap: a{number} \(\d+\), depth 1, task crash, post-mortem of ValueError: number {number} broke\n"
    )
    shell.prompt()
    shell.ctrl_c(2)
    shell.line("c")
    assert f"number {1 - number} broke" in shell.end(1)
    assert prompts_in(shell.log) == [f"a{number}"]


@pytest.mark.parametrize("presses", [0, 3], ids=["calm", "ctrl-c"])
def test_a_holder_that_is_killed_is_an_actor_that_died_and_the_waiter_has_the_prompt(
    shells, presses
):
    shell, holder, waiter = holder_and_waiter(shells)
    shell.ctrl_c(presses)
    os.kill(holder, signal.SIGKILL)
    # In either order.
    wait_until(
        lambda: (
            (shell._read(0.1) or True) and f"({waiter})" in shell.text and "ActorDied" in shell.text
        )
    )
    shell.expect(rf"treetap: a\d \({waiter}\)")
    shell.prompt()
    shell.ctrl_c(presses)
    shell.line("c")
    shell.expect(r"got \d\n")
    shell.expect("the root is through")
    shell.end()
    assert "was ended by SIGKILL" in shell.log
    assert "Traceback" not in shell.log


def test_a_waiter_that_is_killed_is_an_actor_that_died_and_the_holder_goes_on(shells):
    shell, _holder, waiter = holder_and_waiter(shells)
    os.kill(waiter, signal.SIGKILL)
    shell.expect(r"got ActorDied The actor a\d \(.*\) was ended by SIGKILL")
    shell.ctrl_c(2)
    shell.line("c")
    shell.expect(r"got \d\n")
    shell.expect("the root is through")
    shell.end()


def test_a_killed_holder_that_was_the_only_actor_leaves_its_root_alone(shells):
    shell = run_pair(shells, "stop", "debug")
    pid = int(shell.expect(r"a0 is (\d+)\n")[1])
    shell.prompt()
    os.kill(pid, signal.SIGKILL)
    shell.expect("got ActorDied")
    shell.expect("the root is through")
    shell.end()
    assert "Traceback" not in shell.log


@pytest.mark.parametrize("upset", ["root:cancel", "m1:timeout"])
@pytest.mark.parametrize("leaf", ["thread", "asyncio", "step"])
def test_who_is_at_a_prompt_while_the_loop_runs_on_is_not_cancelled_either(shells, leaf, upset):
    chain = Chain(shells, 2, leaf, upset, debug="off")
    shell = chain.shell
    shell.prompt()
    if leaf == "step":
        shell.line("n")
        shell.prompt()
        shell.line("n")
    chain.now()
    shell.expect("has left the prompt")
    shell.type("\x03")
    shell.prompt()
    shell.line("p 6 * 7")
    shell.expect("42")
    shell.prompt()
    assert chain.is_alive()
    shell.line("c")
    if upset == "root:cancel":
        shell.expect("cancelled\n")
        shell.end(1)
    else:
        shell.expect("root is through\n")
        shell.end(0)


BESIDE = """
    import os, subprocess, sys, trio
    from functools import partial
    from treetap import actor
    from treetap.process import supervise_run_process

    def say(*words):
        os.write(1, (" ".join(map(str, words)) + "\\n").encode())

    PROGRAM = "import os, sys; sap = 'sweet'; breakpoint(); os.write(1, b'the program goes on\\\\n'); sys.stdin.read(); import time; time.sleep(60)"

    async def start():
        process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.DEVNULL)
        say("it is", process.pid)
        await trio.to_thread.run_sync(process.wait, abandon_on_cancel=True)

    async def main():
        how = sys.argv[1]
        if how == "supervised":
            async with trio.open_nursery() as tasks:
                command = [sys.executable, "-c", PROGRAM]
                process = await tasks.start(partial(supervise_run_process, command, stdout=None, check=False))
                say("it is", process.pid)
                await told()
                tasks.cancel_scope.cancel()
        else:
            async with actor.open_nursery() as nursery:
                portal = await nursery.start_actor("worker")
                say("worker is", portal.actor.pid)
                async with trio.open_nursery() as tasks:
                    tasks.start_soon(call, portal)
                    await told()
                    tasks.cancel_scope.cancel()
        say("the root is through")

    async def call(portal):
        try:
            await portal.run(start)
        except actor.ActorDied as error:
            say("the call:", error)

    async def told():
        while not os.path.exists("FOLDER/now"):
            await trio.sleep(0.01)

    if __name__ == "__main__":
        trio.run(main)
"""


def run_beside(shells, how):
    source = BESIDE.replace("FOLDER", str(shells.folder))
    return shells.command("run", "--", sys.executable, shells.program(source), how)


@pytest.mark.parametrize("how", ["supervised", "of-an-actor"])
def test_a_program_at_its_prompt_is_waited_for_by_who_ends_what_started_it(shells, how):
    shell = run_beside(shells, how)
    pid = int(shell.expect(r"it is (\d+)\n")[1])
    shell.prompt()
    (shells.folder / "now").touch()
    shell.expect(rf"when .* \({pid}\) has left the prompt")
    shell.ctrl_c(2)
    shell.line("p sap * 2")
    shell.expect("'sweetsweet'")
    shell.prompt()
    shell.line("c")
    shell.expect("the program goes on")
    shell.expect("the root is through")
    if how == "of-an-actor":
        os.kill(pid, signal.SIGKILL)  # as ever, it is the function's to end
    shell.end()


@pytest.mark.parametrize("is_left", [True, False], ids=["left", "not-left"])
def test_a_program_of_a_killed_actor_is_ended_after_its_prompt_or_with_the_root(shells, is_left):
    shell = run_beside(shells, "of-an-actor")
    worker = int(shell.expect(r"worker is (\d+)\n")[1])
    pid = int(shell.expect(r"it is (\d+)\n")[1])
    shell.prompt()
    os.kill(worker, signal.SIGKILL)
    shell.expect("the call: The actor worker .* was ended by SIGKILL")
    shell.ctrl_c(2)
    shell.line("p sap * 2")
    shell.expect("'sweetsweet'")
    shell.prompt()
    if is_left:
        shell.line("c")
        wait_until(lambda: pid not in shell.children())
    (shells.folder / "now").touch()
    shell.expect("the root is through")
    shell.end()


def test_a_limit_ends_what_nobody_has_continued(shells):
    shells.environment["TREETAP_MAX_HOLD_S"] = "1"
    chain = Chain(shells, 2, "linger", "root:cancel", debug="off")
    chain.shell.prompt()
    chain.now()
    chain.shell.expect("has left the prompt")
    chain.shell.expect("cancelled\n")
    chain.shell.end(1)


def test_sigint_by_hand_to_the_root_ends_the_tree_after_the_prompt(shells):
    chain = Chain(shells, 2, "linger", debug="off")
    shell = chain.shell
    shell.prompt()
    os.kill(shell.pid, signal.SIGINT)
    shell.expect("has left the prompt")
    chain.answers()
    shell.line("c")
    shell.expect("leaf is cancelled")
    assert "KeyboardInterrupt" in shell.end(None)


def test_sigterm_by_hand_to_an_actor_at_its_prompt_ends_it_at_once(shells):
    shell = run_pair(shells, "stop", "debug")
    pid = int(shell.expect(r"a0 is (\d+)\n")[1])
    shell.prompt()
    os.kill(pid, signal.SIGTERM)
    shell.expect("got ActorDied .* was ended by SIGTERM")
    shell.end()


CROWD = """
    import sys, trio
    from treetap import actor

    async def crash(name):
        raise ValueError(f"{name} broke")

    async def grow(name):
        async with actor.open_nursery() as nursery, trio.open_nursery() as tasks:
            portals = [await nursery.start_actor(f"{name}.{number}") for number in range(3)]
            for number, portal in enumerate(portals):
                tasks.start_soon(portal.run, *((crash,) if name.count(".") else (grow,)), f"{name}.{number}")

    async def main():
        async with actor.open_nursery(debug="each") as nursery, trio.open_nursery() as tasks:
            for number in range(3):
                portal = await nursery.start_actor(f"t.{number}")
                tasks.start_soon(portal.run, grow, f"t.{number}")

    if __name__ == "__main__":
        trio.run(main)
"""


def test_nine_leaves_and_their_ancestors_crash_and_each_has_its_prompt_in_its_turn(shells):
    shell = shells.plainly(sys.executable, shells.program(CROWD))
    # An error that goes up cancels those who start still.
    wait_until(lambda: len(waiting_names(shell, shells.home)) == 8)
    for _ in range(13):
        shell.prompt()
        shell.ctrl_c()
        assert shell.foreground() == shell.broker()
        shell.line("c")
    shell.end(1)
    shown = prompts_in(shell.log)
    assert len(shown) == 13
    assert set(shown) == {
        *(f"t.{a}.{b}" for a in range(3) for b in range(3)), *(f"t.{a}" for a in range(3)), "program",
    }  # fmt: skip
    for a in range(3):
        assert shown.index(f"t.{a}") > max(shown.index(f"t.{a}.{b}") for b in range(3))
    assert shown[-1] == "program"


WAYS = """
    import os, signal, sys, trio
    from treetap import actor
    from treetap.actor import to_asyncio

    def in_a_thread(sap):
        raise ValueError(f"{sap} in a thread")

    async def in_a_context(context: actor.Context[None, None, None], sap: str) -> None:
        await context.started(None)
        raise ValueError(f"{sap} in a context")

    async def with_asyncio(sap):
        raise ValueError(f"{sap} with asyncio")

    async def beside_trio(sap):
        await to_asyncio.run_task(with_asyncio, sap)

    async def in_a_task(sap):
        async with trio.open_nursery() as tasks:
            tasks.start_soon(with_asyncio, sap)

    async def end(sap):
        os.kill(os.getpid(), signal.SIGKILL)

    async def main():
        for method in ("warm", "fresh"):
            try:
                async with actor.open_nursery(debug=True, start_method=method) as nursery:
                    portal = await nursery.start_actor("worker")
                    if method == "fresh":
                        await portal.run(in_a_task, "sap")
                    for call in (
                        lambda: portal.run_sync(in_a_thread, "sap"),
                        lambda: in_block(portal),
                        lambda: portal.run(beside_trio, "sap"),
                    ):
                        try:
                            await call()
                        except ValueError as error:
                            print("got", error, flush=True)
                    await portal.run(end, "sap")
            except* (actor.ActorDied, ValueError):
                print("left", method, flush=True)

    async def in_block(portal):
        async with portal.open_context(in_a_context, "sap") as (context, _):
            await context.result()

    if __name__ == "__main__":
        trio.run(main)
"""


def test_the_prompt_stops_where_a_function_broke_however_it_was_called(shells):
    shell = shells.plainly(sys.executable, shells.program(WAYS))
    for where, text in (
        ("in_a_thread", "sap in a thread"),
        ("in_a_context", "sap in a context"),
        ("with_asyncio", "sap with asyncio"),
    ):
        shell.expect(rf"treetap: worker .* post-mortem of ValueError: {text}\n> .*\){where}\(\)\n")
        shell.prompt()
        shell.line("p sap, sap")
        shell.expect(r"\('sap', 'sap'\)")
        shell.prompt()
        shell.line("c")
        shell.expect(f"got {text}\n")
    # An actor that dies is nobody's crash but that of who has called it.
    shell.expect(
        r"treetap: program .* post-mortem of treetap.errors.ActorDied: .*\n> .*\)main\(\)\n"
    )
    shell.prompt()
    shell.line("c")
    shell.expect("left warm\n")
    shell.expect(r"treetap: worker .* post-mortem of ValueError: .*\n> .*\)with_asyncio\(\)\n")
    shell.prompt()
    shell.line("c")
    shell.expect("left fresh\n")
    shell.end()


def test_ctrl_z_at_the_prompt_of_an_actor_suspends_the_whole_tree_and_fg_brings_it_back(shells):
    shell = run_pair(shells, "stop", "debug")
    shell.prompt()
    shell.type("\x1a")
    shell.wait_for_stop()
    wait_until(lambda: shell.foreground() == shell.leader.pid)
    shell.resume()
    shell.expect(r"treetap: a0 \(\d+\)")
    shell.prompt()
    shell.ctrl_c(2)
    shell.line("c")
    shell.expect(r"got 0\n")
    shell.expect("the root is through")
    shell.end()
