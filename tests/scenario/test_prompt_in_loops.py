"""The prompt in tasks of trio and asyncio, and in threads, on a real terminal."""

from __future__ import annotations

import re
import signal

import pytest

from tests.docs.blocks import REPOSITORY, blocks
from tests.scenario.pty_shell import Shells

CTRL_C = pytest.mark.parametrize("presses", [0, 3], ids=["calm", "ctrl-c"])

LOOPS = {
    "asyncio": """
        import asyncio

        async def wait(seconds):
            announced.append("waiting")
            await asyncio.sleep(seconds)
            return "slept"

        async def other():
            while True:
                await asyncio.sleep(0.01)
                beats.append(1)
                while announced:  # from another task, so that the one that waits does wait
                    print(announced.pop(), flush=True)

        async def worker():
            SOURCE

        async def main():
            background = asyncio.create_task(other())
            await asyncio.create_task(worker(), name="the-worker")
            background.cancel()
            print("all done", flush=True)

        beats, announced = [], []
        asyncio.run(main())
    """,
    "trio": """
        import trio

        async def wait(seconds):
            announced.append("waiting")
            await trio.sleep(seconds)
            return "slept"

        async def other():
            while True:
                await trio.sleep(0.01)
                beats.append(1)
                while announced:  # from another task, so that the one that waits does wait
                    print(announced.pop(), flush=True)

        async def worker():
            SOURCE

        async def main():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(other)
                async with trio.open_nursery() as inner:
                    inner.start_soon(worker, name="the-worker")
                nursery.cancel_scope.cancel()
            print("all done", flush=True)

        beats, announced = [], []
        trio.run(main)
    """,
}

BOTH = pytest.mark.parametrize("loop", LOOPS)


@pytest.fixture
def shells(tmp_path):
    made = Shells(tmp_path)
    yield made
    made.close()


def run(shells, loop, source):
    return shells.run(LOOPS[loop].replace("SOURCE", source.replace("\n", "\n            ")))


@BOTH
@CTRL_C
def test_a_task_stops_and_goes_on(shells, loop, presses):
    program = run(shells, loop, "value = 41\nbreakpoint()\nprint(value + 1, flush=True)")
    program.expect("task .*the-worker")
    program.prompt()
    program.ctrl_c(presses)
    program.line("p value")
    program.expect("41")
    program.prompt()
    program.line("c")
    program.expect("42\nall done")
    program.end()


@BOTH
def test_a_step_over_an_await_waits_for_it_while_others_run(shells, loop):
    program = run(
        shells, loop, "breakpoint()\nbefore = len(beats)\ngot = await wait(0.2)\nafter = len(beats)"
    )
    program.prompt()
    program.line("n")
    program.prompt()
    program.line("n")
    program.expect("got = await")
    program.prompt()
    program.line("n")
    program.expect("after = len")
    program.prompt()
    program.line("p got, len(beats) > before")
    program.expect(r"\('slept', True\)")
    program.prompt()
    program.line("c")
    program.expect("all done")
    program.end()


@BOTH
def test_ctrl_c_in_a_long_await_is_a_prompt_in_the_waiting_task(shells, loop):
    program = run(shells, loop, "mine = 'here'\nbreakpoint()\ngot = await wait(3)\nprint(got)")
    program.prompt()
    program.line("n")
    program.prompt()
    program.line("n")
    program.expect("waiting\n")  # and the loop wakes every 10 ms: no signal comes too early
    program.ctrl_c()
    program.line("p mine")
    program.expect("'here'")
    program.prompt()
    program.line("w")
    program.expect(r"wait\(\)")
    program.prompt()
    program.line("n")
    program.expect(r"print\(got\)")
    program.prompt()
    program.line("c")
    program.expect("slept\nall done")
    program.end()


@BOTH
def test_quit_in_a_long_await_ends_the_program_as_ctrl_c_does(shells, loop):
    program = run(shells, loop, "breakpoint()\nawait wait(60)")
    program.prompt()
    program.line("n")
    program.prompt()
    program.line("n")
    program.expect("waiting\n")  # and the loop wakes every 10 ms: no signal comes too early
    program.ctrl_c()
    program.line("q")
    program.expect("KeyboardInterrupt")
    program.end(None)


@BOTH
def test_stepping_off_the_end_of_a_task_frees_the_terminal(shells, loop):
    program = run(shells, loop, "breakpoint()\nx = 1")
    program.prompt()
    program.line("n")
    program.expect("x = 1")
    program.prompt()
    program.line("n")
    program.expect("all done")
    program.end()


@BOTH
def test_a_task_that_is_cancelled_in_a_step_frees_the_terminal(shells, loop):
    cancel = {
        "asyncio": "asyncio.get_running_loop().call_later(0.2, asyncio.current_task().cancel)",
        "trio": "inner = trio.lowlevel.current_task().parent_nursery.cancel_scope; inner.deadline = trio.current_time() + 0.2",
    }[loop]
    program = run(shells, loop, f"breakpoint()\n{cancel}\nawait wait(60)")
    program.prompt()
    program.line("n")
    program.prompt()
    program.line("n")
    program.prompt()
    program.line("n")
    program.expect("Cancelled")
    program.prompt()
    program.type("n\nn\nn\n")  # pdb stops once or twice where it leaves
    program.end(None)


@CTRL_C
def test_threads_stop_one_after_another(shells, presses):
    program = shells.run(
        """
        import os, threading
        def work(number):
            mine = number + 40
            breakpoint()
            os.write(1, b"thread %d\\n" % mine)
        threads = [threading.Thread(target=work, args=(n,), name=f"thread-{n}") for n in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print("all done")
        """
    )
    for _ in range(3):
        program.expect(r"thread thread-\d")
        program.prompt()
        program.ctrl_c(presses)
        program.line("p mine")
        program.expect(r"4\d\n")
        program.prompt()
        program.line("c")
    program.expect("all done")
    program.end()
    assert sorted(re.findall(r"thread (4\d)\n", program.log)) == ["40", "41", "42"]


def test_ctrl_c_in_a_threads_step_harms_nobody(shells):
    program = shells.run(
        """
        import threading, time
        def work():
            breakpoint()
            print("in it", flush=True)
            time.sleep(0.5)
            print("thread on", flush=True)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        print("all done")
        """
    )
    program.prompt()
    program.line("n")
    program.prompt()
    program.line("n")
    program.prompt()
    program.line("n")
    program.type("\x03\x03")
    program.prompt()
    program.line("c")
    while "all done" not in program.log:  # a key that came late is at the next prompt
        if program.expect(r"all done|\(Pdb\) ")[0] != "all done":
            program.line("c")
    program.end()


def test_the_first_example_of_the_page_is_as_it_says(shells):
    page = REPOSITORY / "docs/debugging.md"
    source = next(block.text for block in blocks(page) if block.language == "python")
    program = shells.run(source, name="pool.py")
    totals = set()
    for _ in range(2):
        program.expect(r"treetap: ForkPoolWorker-\d \(\d+\), depth 1")
        program.prompt()
        program.line("p total")
        totals.add(program.expect(r"\n(\d+\.0)\n")[1])
        program.prompt()
        program.ctrl_c()
        program.line("c")
    program.expect(r"\[12.0, 24.0\]")
    assert totals == {"12.0", "24.0"}
    program.end()


def test_sigint_by_hand_to_an_asyncio_program_is_delivered_after(shells):
    import os

    program = run(shells, "asyncio", "breakpoint()\nawait wait(60)")
    program.prompt()
    os.kill(program.pid, signal.SIGINT)
    program.expect("is kept back")
    program.line("c")
    program.expect("KeyboardInterrupt")
    program.end(None)
