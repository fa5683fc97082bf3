"""The prompt on a dead frame, on a real terminal."""

from __future__ import annotations

import pytest

from tests.scenario.pty_shell import Shells

CTRL_C = pytest.mark.parametrize("presses", [0, 3], ids=["calm", "ctrl-c"])


@pytest.fixture
def shells(tmp_path):
    made = Shells(tmp_path)
    yield made
    made.close()


@CTRL_C
@pytest.mark.parametrize("answer", ["c", "q", "n", "\x04"], ids=["c", "q", "n", "ctrl-d"])
def test_a_crash_has_its_prompt_and_the_exception_goes_on(shells, answer, presses):
    program = shells.run(
        """
        import treetap
        def divide(by):
            return 1 / by
        try:
            with treetap.catch_crashes():
                with treetap.catch_crashes():
                    divide(0)
        except ZeroDivisionError as exc:
            print("caught", exc)
        """
    )
    program.expect("post-mortem of ZeroDivisionError: division by zero")
    program.expect(r"divide\(\)")
    program.prompt()
    program.ctrl_c(presses)
    program.line("p by")
    program.expect("0")
    program.prompt()
    program.line("u")
    program.expect(r"divide\(0\)")
    program.prompt()
    program.type(answer if answer == "\x04" else answer + "\n")
    program.expect("caught division by zero")
    program.end()
    assert program.log.count("post-mortem of") == 1


def test_a_crash_without_a_terminal_is_as_always(shells):
    import os
    import subprocess
    import sys

    script = shells.program("import treetap\nwith treetap.catch_crashes():\n    1 / 0\n")
    done = subprocess.run(
        [sys.executable, script], env=shells.environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, start_new_session=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1
    assert "pause-no-terminal" in done.stderr
    assert done.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert os.path.exists(script)


@CTRL_C
@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("fail()", 1),
        ("t = threading.Thread(target=fail); t.start(); t.join()", 0),
        ("p = context('fork').Process(target=fail); p.start(); p.join()", 0),
        ("p = context('spawn').Process(target=fail); p.start(); p.join()", 0),
        ("subprocess.run([sys.executable, '-c', 'wrong = 13; 1 / 0'])", 0),
    ],
    ids=["main", "thread", "fork", "spawn", "subprocess"],
)
def test_on_crash_opens_it_in_any_process_of_the_tree(shells, source, code, presses):
    program = shells.run(
        f"""
        import subprocess, sys, threading
        from multiprocessing import get_context as context
        def fail():
            wrong = 13
            return 1 / 0
        if __name__ == "__main__":
            {source}
        """,
        "--on-crash",
    )
    program.expect("post-mortem of ZeroDivisionError: division by zero")
    program.prompt()
    program.ctrl_c(presses)
    program.line("p wrong")
    program.expect("13")
    program.prompt()
    program.line("c")
    program.end(code)
    assert program.log.count("post-mortem of") == 1


@pytest.mark.parametrize(
    ("source", "code"),
    [("raise SystemExit(3)", 3), ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", -2)],
)
def test_on_crash_leaves_the_ways_to_end_alone(shells, source, code):
    program = shells.run(source + "\n", "--on-crash")
    program.end(code)
    assert "treetap:" not in program.log


def test_two_crashes_at_once_have_one_prompt_at_a_time(shells):
    program = shells.run(
        """
        import multiprocessing
        def fail(number):
            raise ValueError(number)
        context = multiprocessing.get_context("fork")
        workers = [context.Process(target=fail, args=(n,)) for n in range(2)]
        for worker in workers: worker.start()
        for worker in workers: worker.join()
        print("codes", [worker.exitcode for worker in workers])
        """,
        "--on-crash",
    )
    for _ in range(2):
        program.expect("post-mortem of ValueError: ")
        program.prompt()
        program.ctrl_c()
        program.line("c")
    program.expect(r"codes \[1, 1\]")
    program.end()
