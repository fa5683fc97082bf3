"""What goes on beside a step: other threads and tasks, handlers of the program's, programs it starts."""

from __future__ import annotations

import os
import signal

import pytest

from tests.scenario.pty_shell import Shells


@pytest.fixture
def shells(tmp_path):
    made = Shells(tmp_path)
    yield made
    made.close()


def test_ctrl_c_shows_a_thread_where_it_is_blocked_and_the_step_goes_on(shells):
    program = shells.run(
        """
        import queue, threading
        lines = queue.Queue()
        def get():
            print("waits", flush=True)
            return lines.get()
        def work():
            mine = "here"
            breakpoint()
            got = get()
            print("got", got, flush=True)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        print("all done")
        """
    )
    program.expect("thread Thread-1")
    program.prompt()
    program.line("n")
    program.prompt()
    program.line("n")
    program.expect("waits\n")
    program.settle()
    program.type("\x03")
    program.expect(r"work\(\)\n-> got = get\(\)")
    for line, answer in [("p mine", "'here'"), ("w", r"get\(\)"), ("!lines.put(7)", "")]:
        program.prompt()
        program.line(line)
        program.expect(answer)
    program.prompt()
    program.line("n")
    program.expect(r'-> print\("got"')
    program.prompt()
    program.line("c")
    program.expect("got 7\nall done")
    program.end()


def test_ctrl_c_shows_a_worker_of_an_idle_loop_where_it_is_blocked(shells):
    program = shells.run(
        """
        import asyncio, threading
        gate = threading.Event()
        def wait():
            print("waits", flush=True)
            gate.wait()
        def work():
            breakpoint()
            wait()
            return "done"
        print(asyncio.run(asyncio.to_thread(work)))
        """
    )
    program.prompt()
    program.line("n")
    program.prompt()
    program.line("n")
    program.expect("waits\n")
    program.settle()
    program.type("\x03")
    program.expect(r"work\(\)\n-> wait\(\)")
    program.prompt()
    program.line("!gate.set()")
    program.prompt()
    program.line("c")
    program.expect("done\n")
    program.end()


def test_ctrl_c_stops_a_thread_that_runs_at_its_next_line(shells):
    program = shells.run(
        """
        import threading
        stop = False
        def work():
            breakpoint()
            print("runs", flush=True)
            while not stop:
                pass
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        print("all done")
        """
    )
    program.prompt()
    program.line("until 8")
    program.expect("runs\n")
    program.ctrl_c()
    program.line("!global stop; stop = True")
    program.prompt()
    program.line("c")
    program.expect("all done")
    program.end()


TASKS = {
    "asyncio": """
        import asyncio
        paused = asyncio.Event()  # the step isn't over before
        async def steps():
            breakpoint()
            await paused.wait()
            mine = "steps"
            print("step on", flush=True)
        async def pauses():
            await asyncio.sleep(0.05)
            mine = "pauses"
            try:
                breakpoint()
                print("pause on", flush=True)
            finally:
                paused.set()
        async def main():
            tasks = [asyncio.create_task(steps(), name="one"), asyncio.create_task(pauses(), name="two")]
            for task in tasks:
                await task
            print("all done")
        asyncio.run(main())
    """,
    "trio": """
        import trio
        paused = trio.Event()  # the step isn't over before
        async def steps():
            breakpoint()
            await paused.wait()
            mine = "steps"
            print("step on", flush=True)
        async def pauses():
            await trio.sleep(0.05)
            mine = "pauses"
            try:
                breakpoint()
                print("pause on", flush=True)
            finally:
                paused.set()
        async def main():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(steps, name="one")
                nursery.start_soon(pauses, name="two")
            print("all done")
        trio.run(main)
    """,
}


@pytest.mark.parametrize("answers", [["c"], ["n", "c"]], ids=["c", "n-c"])
@pytest.mark.parametrize("loop", TASKS)
def test_a_task_that_pauses_in_anothers_step_has_its_prompt_and_the_step_goes_on(
    shells, loop, answers
):
    # The one that pauses may come first, where it starts first.
    program = shells.run(TASKS[loop].replace("await trio.sleep(0.05)", "await trio.sleep(0.1)"))
    program.expect(r"task .*one\n")
    program.prompt()
    program.line("n")
    program.expect("await")
    program.prompt()
    program.line("n")
    program.expect(r"task .*two\n")
    program.prompt()
    program.line("p mine")
    program.expect("'pauses'")
    for answer in answers:
        program.prompt()
        program.line(answer)
    program.expect("pause on")
    program.expect(r"steps\(\)\n-> mine")
    program.prompt()
    program.line("c")
    program.expect("step on\nall done")
    program.end()


def test_quitting_a_task_that_pauses_in_anothers_step_ends_the_program(shells):
    program = shells.run(TASKS["asyncio"])
    program.prompt()
    program.line("n")
    program.prompt()
    program.line("n")
    program.expect("task two\n")
    program.prompt()
    program.line("q")
    program.expect("BdbQuit")
    program.end(1)


HANDLERS = """
    import asyncio, signal
    async def main():
        loop, pressed, go_on = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        loop.add_signal_handler(signal.SIGINT, lambda: (print("theirs", flush=True), pressed.set()))
        loop.add_signal_handler(signal.SIGUSR1, lambda: print("usr1", flush=True))
        loop.call_later(0.1, print, "waits")
        breakpoint()
        await WAIT
        print("slept", pressed.is_set(), flush=True)
        await pressed.wait()
        print("over")
    asyncio.run(main())
"""


def test_a_loop_with_a_handler_of_its_own_gets_no_ctrl_c_that_is_the_prompts(shells):
    program = shells.run(HANDLERS.replace("WAIT", "go_on.wait()"))
    program.prompt()
    program.line("n")
    program.prompt()
    program.line("n")
    program.expect("waits\n")
    os.kill(program.pid, signal.SIGUSR1)
    program.expect("usr1\n")
    program.settle()
    program.ctrl_c()
    program.line("!loop.call_soon_threadsafe(go_on.set)")
    program.prompt()
    program.line("n")
    program.expect("slept")
    program.prompt()
    program.line("c")
    program.expect("slept False\n")
    program.type("\x03")
    program.expect("theirs\nover")
    program.end()
    assert program.log.count("theirs") == 1


def test_sigint_by_hand_reaches_such_a_handler_once_after_the_prompt(shells):
    program = shells.run(HANDLERS.replace("WAIT", "asyncio.sleep(0.1)"))
    program.prompt()
    os.kill(program.pid, signal.SIGINT)
    program.expect("is kept back")
    program.line("c")
    program.expect("theirs\n")
    program.expect("over")
    program.end()
    assert program.log.count("theirs") == 1


@pytest.mark.parametrize("company", [[], ["company"]], ids=["alone", "in-company"])
def test_who_is_started_in_a_step_is_in_the_programs_group(shells, company):
    script = shells.program(
        """
        import multiprocessing, os, subprocess, sys, threading
        SAY = [sys.executable, "-c", "import os; print('group', os.getpgid(0), '.', flush=True)"]
        def spawned():
            print("group", os.getpgid(0), ".", flush=True)
        def in_a_thread():
            begin.wait()
            subprocess.run(SAY)
        if __name__ == "__main__":
            begin = threading.Event()
            thread = threading.Thread(target=in_a_thread)
            thread.start()
            if sys.argv[1:]:  # somebody else is in it; a group is gone when nobody is
                stays = subprocess.Popen(["sleep", "60"])
            print("home", os.getpgid(0), flush=True)
            breakpoint()
            subprocess.run(SAY)
            subprocess.run(SAY, close_fds=False)
            process = multiprocessing.get_context("spawn").Process(target=spawned)
            process.start(); process.join()
            if os.fork() == 0:
                print("group", os.getpgid(0), ".", flush=True)
                os._exit(0)
            os.wait()
            breakpoint()
            thread.join()
            subprocess.run(SAY)
            if sys.argv[1:]:
                stays.kill(); stays.wait()
        """
    )
    program = shells.command("run", "--", os.sys.executable, script, *company)
    home = program.expect(r"home (\d+)\n")[1]

    def group():
        return program.expect(r"group (\d+) \.")[1]

    program.prompt()
    program.line("n")
    program.prompt()
    for _ in range(2):
        program.line("n")
        assert group() == home
        program.prompt()
    program.line("c")
    assert [group(), group()] == [home, home]
    program.prompt()
    program.line("begin.set()")
    assert group() == home
    program.line("subprocess.run(SAY)")  # it may read: it is the prompt's
    assert group() != home
    program.line("c")
    assert group() == home
    program.end()


def test_a_forked_child_keeps_the_programs_tracer_and_not_ours(shells):
    program = shells.run(
        """
        import os, sys
        def theirs(frame, event, arg):
            return None
        def fork():
            if os.fork() == 0:
                print("traced by", getattr(sys.gettrace(), "__name__", "nobody"), flush=True)
                os._exit(0)
            os.wait()
        breakpoint()
        fork()
        fork()
        sys.settrace(theirs)
        fork()
        """
    )
    program.prompt()
    program.line("n")
    program.prompt()
    program.line("n")
    program.expect("traced by nobody")
    program.prompt()
    program.line("b 1")  # after the prompt too, we trace for it
    program.prompt()
    program.line("c")
    program.expect("traced by nobody")
    program.expect("traced by theirs")
    program.end()


def test_coroutine_functions_and_generators_can_be_watched_for_crashes(shells):
    program = shells.run(
        """
        import asyncio, treetap
        @treetap.catch_crashes()
        async def fail(by):
            await asyncio.sleep(0)
            return 1 / by
        @treetap.catch_crashes()
        def numbers(by):
            got = yield 1 / by
            yield 1 / got
        try:
            asyncio.run(fail(0))
        except ZeroDivisionError:
            print("caught")
        made = numbers(1)
        print(next(made))
        try:
            made.send(0)
        except ZeroDivisionError:
            print("caught too")
        """
    )
    for there, caught in [("by", "caught"), ("got", "caught too")]:
        program.expect("post-mortem of ZeroDivisionError")
        program.prompt()
        program.line(f"p {there} == 0")
        program.expect("True")
        program.prompt()
        program.line("c")
        program.expect(f"{caught}\n")
    program.end()


@pytest.mark.parametrize(
    ("commands", "answers"),
    [
        (["p ('i', i)", "end"], ["c"] * 3),
        (["p ('i', i)", "c"], []),
        (["silent", "1 / nothing", "p ('i', i)", "end"], ["c"] * 3),
    ],
    ids=["end", "continue", "error"],
)
def test_the_commands_of_a_breakpoint_are_done_each_time_it_is_reached(shells, commands, answers):
    program = shells.run(
        """
        def count():
            breakpoint()
            total = 0
            for i in range(3):
                total += i
            return total
        print("total", count())
        """
    )
    program.prompt()
    program.line("b 5")
    program.prompt()
    program.line("commands 1")
    for command in commands:
        program.expect(r"\(com\) ")
        program.line(command)
    program.prompt()
    program.line("c")
    for number in range(3):
        program.expect(rf"\('i', {number}\)")
        for answer in answers[number : number + 1]:
            program.prompt()
            program.line(answer)
    program.expect("total 3")
    program.end()


def test_an_error_of_a_command_is_said_and_the_prompt_stays(shells):
    program = shells.run(
        """
        class Shy:
            def __repr__(self):
                raise ValueError("it doesn't say")
        def greet(whom):
            breakpoint()
        greet(Shy())
        print("all done")
        """
    )
    program.prompt()
    program.line("a")
    program.expect("it doesn't say")
    program.prompt()
    program.line("p 6 * 7")
    program.expect("42")
    program.prompt()
    program.line("c")
    program.expect("all done")
    program.end()


def test_ctrl_c_in_a_step_shows_the_program_and_not_what_the_debugger_calls(shells):
    program = shells.run(
        """
        def count():
            breakpoint()
            number = 0
            while True:
                number += 1
                if number % 500 == 0:
                    print("ticks", flush=True)
        count()
        """
    )
    program.prompt()
    for _ in range(15):
        program.line("r")
        program.expect("ticks\n")
        program.type("\x03")
        assert program.expect(r"> (\S+)\(\d+\)(\w+)\(")[1].endswith("program.py")
        program.prompt()
    program.line("q")
    program.end(1)
