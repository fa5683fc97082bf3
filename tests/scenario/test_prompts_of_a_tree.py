"""Many processes and one terminal."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.conftest import wait_until
from tests.scenario.pty_shell import PROMPT, Shells

CTRL_C = pytest.mark.parametrize("presses", [0, 3], ids=["calm", "ctrl-c"])
DEPTHS = pytest.mark.parametrize("depth", [1, 2, 3])

#: Each process of the tree answers, after the prompt, that it is alive and that no ctrl-c hit it.
NESTED = """
    import multiprocessing, os, shlex, subprocess, sys

    def leaf():
        name = "leaf"
        breakpoint()
        print("leaf goes on", flush=True)

    def go_down(way, levels):
        if levels == 0:
            return leaf()
        if way in ("fork", "spawn"):
            child = multiprocessing.get_context(way).Process(target=go_down, args=(way, levels - 1))
            child.start()
            child.join()
            code = child.exitcode
        else:
            command = [sys.executable, __file__, way, str(levels - 1)]
            if way == "sh":
                command = ["sh", "-c", shlex.join(command) + "; exit $?"]
            code = subprocess.run(command).returncode
        print("level", levels, "saw", code, flush=True)

    if __name__ == "__main__":
        go_down(sys.argv[1], int(sys.argv[2]))
"""


@pytest.fixture
def shells(tmp_path):
    made = Shells(tmp_path)
    yield made
    made.close()


def run_nested(shells: Shells, way: str, depth: int, *, has_jobs: bool):
    script = shells.program(NESTED)
    return shells.command(
        "run", "--", os.sys.executable, script, way, str(depth), has_jobs=has_jobs
    )


#: Each depth with ctrl-c; one without shows that it isn't ctrl-c that makes it work.
NESTINGS = [(depth, 3) for depth in (1, 2, 3)] + [(2, 0)]


@pytest.mark.parametrize(("depth", "presses"), NESTINGS)
@pytest.mark.parametrize("way", ["fork", "spawn", "subprocess", "sh"])
def test_a_leaf_at_any_depth_has_the_prompt_and_ctrl_c_hits_nobody(shells, way, depth, presses):
    program = run_nested(shells, way, depth, has_jobs=presses > 0)
    program.expect(rf"treetap: .*depth {depth * 2 if way == 'sh' and depth else depth}")
    program.prompt()
    program.ctrl_c(presses)
    program.line("p name")
    program.expect("'leaf'")
    program.prompt()
    program.line("c")
    program.expect("leaf goes on")
    for level in range(1, depth + 1):
        program.expect(f"level {level} saw 0")
    program.end()


@DEPTHS
def test_ctrl_c_reaches_the_whole_tree_after_the_release(shells, depth):
    source = NESTED.replace('print("leaf goes on", flush=True)', 'print("on", flush=True); sys.stdin.close(); import time; time.sleep(60)')  # fmt: skip
    script = shells.program(source)
    program = shells.command("run", "--", os.sys.executable, script, "subprocess", str(depth))
    program.prompt()
    program.ctrl_c()
    program.line("c")
    program.expect("on\n")
    program.settle()
    program.type("\x03")
    program.expect("KeyboardInterrupt\n")
    program.end(None)  # all of them, at once


CROWD = """
    import multiprocessing, os, sys

    def work(number):
        mine = number * number
        breakpoint()
        os.write(1, b"worker goes on\\n")  # in one piece, whatever is at the prompt

    if __name__ == "__main__":
        workers = [multiprocessing.get_context("fork").Process(target=work, args=(n,)) for n in range(COUNT)]
        for worker in workers: worker.start()
        for worker in workers: worker.join()
        print("codes", {worker.exitcode for worker in workers})
"""


@CTRL_C
@pytest.mark.parametrize("has_jobs", [True, False], ids=["jobs", "no-jobs"])
@pytest.mark.parametrize("count", [2, 10])
def test_processes_that_pause_at_once_have_the_prompt_one_after_another(
    shells, count, presses, has_jobs
):
    program = shells.run(CROWD.replace("COUNT", str(count)), has_jobs=has_jobs)
    seen = set()
    for _ in range(count):
        program.prompt()
        assert not re.search(PROMPT, program.text)
        program.ctrl_c(presses)
        assert program.foreground() == program.broker()
        # Whoever goes on writes into the line that is typed: its echo must not look like the answer.
        program.line("p f'<{mine}>'")
        seen.add(int(program.expect(r"'<(\d+)>'")[1]))
        program.prompt()
        program.line("c")
    assert seen == {n * n for n in range(count)}
    program.expect(r"codes \{0\}")
    program.end()
    assert program.log.count("goes on") == count


LOOK = "import treetap.debug.entry as e; claim = e._slot.prompt.session._claim"


def ask(program, line):
    program.line(line)
    return program.expect(rf"[^\0]*?\n([^\0]*?){PROMPT}")[1]


def test_the_header_says_who_waits(shells):
    program = shells.run(CROWD.replace("COUNT", "3"))
    program.prompt()
    ask(program, LOOK)
    wait_until(lambda: "2" in ask(program, "claim.look(); print(len(claim.waiting))"))
    program.line("c")
    program.expect(r"depth 1; 1 more waiting: ForkProcess-\d \(\d+\)\n")
    for _ in range(2):
        program.prompt()
        program.line("c")
    program.end()


HOLDER_AND_WAITER = """
    import multiprocessing, os, signal

    def work(first, second, number):
        first.wait()
        second.set()
        breakpoint()
        print("worker", number, "goes on", flush=True)

    if __name__ == "__main__":
        context = multiprocessing.get_context("fork")
        events = [context.Event() for _ in range(3)]
        events[0].set()
        workers = [context.Process(target=work, args=(events[n], events[n + 1], n), name=f"worker-{n}") for n in range(2)]
        for worker in workers: worker.start()
        for worker in workers: worker.join()
        print("codes", [worker.exitcode for worker in workers])
"""


def start_holder_and_waiter(shells):
    """The shell, and the pids of who holds and who waits."""
    program = shells.run(HOLDER_AND_WAITER)
    holder = int(program.expect(r"treetap: worker-\d \((\d+)\)")[1])
    program.prompt()
    ask(program, LOOK)

    def waiting():
        said = ask(program, "claim.look(); print(claim.waiting)")
        return re.search(r"\['worker-\d \((\d+)\)'\]", said)

    return program, holder, int(wait_until(waiting)[1])


@CTRL_C
def test_a_holder_that_is_killed_leaves_a_usable_terminal_to_the_waiter(shells, presses):
    program, holder, waiter = start_holder_and_waiter(shells)
    program.ctrl_c(presses)
    os.kill(holder, signal.SIGKILL)
    assert int(program.expect(r"treetap: worker-\d \((\d+)\)")[1]) == waiter
    program.prompt()
    program.ctrl_c(presses)
    assert program.foreground() == program.broker()
    program.line("c")
    assert sorted(eval(program.expect(r"codes (\[.*\])")[1])) == [-9, 0]
    program.end()


def test_what_was_typed_for_a_holder_that_is_killed_is_no_line_of_the_next(shells):
    program, holder, waiter = start_holder_and_waiter(shells)
    program.line("import time; print('sleeps'); time.sleep(600)")
    program.expect(r"\nsleeps\n")
    program.line("c")
    program.expect(r"c\n")
    os.kill(holder, signal.SIGKILL)
    assert int(program.expect(r"treetap: worker-\d \((\d+)\)")[1]) == waiter
    program.prompt()
    program.line("p 6 * 7")
    # Not one of a prompt that "c" has answered already.
    program.expect(r"^p 6 \* 7\n42\n")
    program.prompt()
    program.line("c")
    assert sorted(eval(program.expect(r"codes (\[.*\])")[1])) == [-9, 0]
    program.end()


def test_a_holder_that_is_killed_with_nobody_waiting_leaves_a_usable_terminal(shells):
    program = shells.run(CROWD.replace("COUNT", "1"))
    pid = int(program.expect(r"treetap: ForkProcess-1 \((\d+)\)")[1])
    program.prompt()
    os.kill(pid, signal.SIGKILL)
    program.expect(r"codes \{-9\}")
    program.end()


@CTRL_C
def test_a_waiter_that_is_killed_leaves_the_queue(shells, presses):
    program, _holder, waiter = start_holder_and_waiter(shells)
    os.kill(waiter, signal.SIGKILL)
    wait_until(lambda: "[]" in ask(program, "claim.look(); print(claim.waiting)"))
    program.ctrl_c(presses)
    program.line("c")
    assert sorted(eval(program.expect(r"codes (\[.*\])")[1])) == [-9, 0]
    program.end()


def test_a_killed_broker_leaves_the_holder_alone_and_the_waiter_gets_its_turn(shells):
    program, _holder, waiter = start_holder_and_waiter(shells)
    os.kill(program.broker(), signal.SIGKILL)
    program.ctrl_c(3)
    program.line("p 6 * 7")
    program.expect("42")
    program.prompt()
    program.line("c")
    assert int(program.expect(r"treetap: worker-\d \((\d+)\)")[1]) == waiter
    program.prompt()
    program.ctrl_c(3)
    assert program.foreground() == program.broker()
    program.line("c")
    program.expect(r"codes \[0, 0\]")
    program.end()


def test_holder_and_broker_killed_leave_a_usable_terminal_to_the_next(shells):
    program, holder, waiter = start_holder_and_waiter(shells)
    os.kill(program.broker(), signal.SIGKILL)
    os.kill(holder, signal.SIGKILL)
    assert int(program.expect(r"treetap: worker-\d \((\d+)\)")[1]) == waiter
    program.prompt()
    program.ctrl_c(3)
    program.line("c")
    program.end()


def test_sigint_by_hand_to_a_waiter_is_delivered_after_its_own_prompt(shells):
    program, holder, waiter = start_holder_and_waiter(shells)
    os.kill(waiter, signal.SIGINT)
    program.expect(rf"treetap: SIGINT is kept back until worker-\d \({holder}\) has continued")
    program.line("c")
    program.expect(rf"treetap: worker-\d \({waiter}\)")
    program.prompt()
    program.line("c")
    program.expect("KeyboardInterrupt")
    program.end()


def test_the_parent_stops_at_its_own_prompt_and_the_child_still_has_its_turn(shells):
    program = shells.run(
        """
        import os, time
        pid = os.fork()
        breakpoint()
        if pid == 0:
            print("child on", flush=True)
            os._exit(0)
        print("parent on", flush=True)
        os.waitpid(pid, 0)
        """
    )
    for _ in range(2):
        program.prompt()
        program.ctrl_c()
        program.line("c")
    program.end()
    assert "child on" in program.log
    assert "parent on" in program.log


def test_a_parent_stuck_in_c_code_does_not_hold_up_its_child(shells):
    program = shells.run(
        """
        import ctypes, os
        if os.fork() == 0:
            breakpoint()
            print("child on", flush=True)
            os._exit(0)
        ctypes.PyDLL(None).usleep(900000)  # with the GIL, so that no thread of it runs
        os.wait()
        """
    )
    program.prompt()
    program.line("c")
    program.expect("child on")
    program.end()


def test_a_child_that_is_forked_in_a_step_is_in_the_programs_group(shells):
    program = shells.run(
        """
        import os
        def fork():
            if os.fork() == 0:
                print("same" if os.getpgid(0) == group else "other", flush=True)
                os._exit(0)
            os.wait()
        group = os.getpgid(0)
        reader, writer = os.pipe()
        if os.fork() == 0:  # a group is gone when nobody is in it
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
        breakpoint()
        fork()
        """
    )
    program.prompt()
    for _ in range(2):
        program.line("n")
        if _:
            program.expect("same")
        program.prompt()
    program.line("c")
    program.end()


def test_under_make_and_in_a_pipeline(shells):
    script = shells.program("breakpoint()\nprint('went on')\n")
    (shells.folder / "Makefile").write_text(f"all:\n\t@{os.sys.executable} {script} | cat\n")
    program = shells.command("run", "--", "make", "-C", str(shells.folder))
    program.prompt()
    program.ctrl_c(2)
    program.line("c")
    program.expect("went on")
    program.end()
