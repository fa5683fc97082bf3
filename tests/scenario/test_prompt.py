"""One process at the prompt, on a real terminal."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.conftest import wait_until
from tests.scenario.pty_shell import Shells

JOBS = pytest.mark.parametrize("has_jobs", [True, False], ids=["jobs", "no-jobs"])
CTRL_C = pytest.mark.parametrize("presses", [0, 3], ids=["calm", "ctrl-c"])

PAUSES = """
    def work():
        x = 1
        breakpoint()
        y = x + 1
        print("done", y)
    work()
    print("after")
"""


@pytest.fixture
def shells(tmp_path):
    made = Shells(tmp_path)
    yield made
    made.close()


@JOBS
@CTRL_C
def test_breakpoint_stops_at_its_line_and_continue_goes_on(shells, has_jobs, presses):
    program = shells.run(PAUSES, has_jobs=has_jobs)
    program.expect(r"treetap: program \(\d+\)")
    program.expect(r"program.py\(3\)work\(\)")
    program.prompt()
    program.ctrl_c(presses)
    assert program.foreground() == program.broker()
    program.line("p x")
    program.expect(r"^1\n|\n1\n")
    program.prompt()
    program.line("c")
    program.expect("done 2\nafter")
    program.end()


def tracebacks_of_ours(text: str) -> set[str]:
    """Files of treetap's that are in what Python writes of an error."""
    return set(re.findall(r'File ".*/treetap/debug/(\w+\.py)"', text))


@CTRL_C
def test_quit_ends_the_program_with_bdb_quit(shells, presses):
    program = shells.run(PAUSES)
    program.prompt()
    program.ctrl_c(presses)
    program.line("q")
    program.expect("BdbQuit")
    assert "after" not in program.end(1)
    assert tracebacks_of_ours(program.log) == set()


def test_ctrl_d_quits_too(shells):
    program = shells.run(PAUSES)
    program.prompt()
    program.type("\x04")
    program.expect("BdbQuit")
    program.end(1)


def test_ctrl_c_clears_the_line(shells):
    program = shells.run(PAUSES)
    program.prompt()
    program.type("import os; os._exit(9)")
    program.ctrl_c()
    program.line("p x + 41")
    program.expect("42")
    program.prompt()
    program.line("c")
    program.end()


def test_pdbs_commands_are_there(shells):
    program = shells.run(
        """
        def inner(a):
            b = a * 2
            return b

        def work(n, c):
            breakpoint()
            total = inner(n)
            total += 1
            for i in range(3):
                total += i
            return total

        print("result", work(5, "see"))
        """
    )
    program.prompt()
    for typed, shown in [
        ("n", r"total = inner\(n\)"),
        ("s", "--Call--"),
        ("n", r"b = a \* 2"),
        ("u", r"total = inner\(n\)"),
        ("p n", "5"),
        ("d", r"b = a \* 2"),
        ("!a = 7", ""),
        ("r", "--Return--"),
        ("n", r"total \+= 1"),
        ("p total", "14"),
        ("until 11", "return total"),
        ("p (n, c)", r"\(5, 'see'\)"),
        ("w", "work"),
        ("interact", ">>> "),
    ]:
        program.line(typed)
        program.expect(shown)
        if typed != "interact":
            program.prompt()
    program.line("print(total + 100)")
    program.expect("118")
    program.expect(">>> ")
    program.type("\x04")
    program.prompt()
    program.line("c")  # though there is a local of that name
    program.expect("result 18")
    program.end()


def test_locals_called_like_commands_do_not_shadow_them(shells):
    program = shells.run(
        """
        def work(c, n, q):
            breakpoint()
            return c
        work(1, 2, 3)
        print("went on")
        """
    )
    program.prompt()
    program.line("n")
    program.expect("return c")
    program.prompt()
    program.line("c")
    program.expect("went on")
    program.end()


@CTRL_C
def test_ten_steps_in_a_loop_and_pausing_again_and_again(shells, presses):
    program = shells.run(
        """
        def forever():
            i = 0
            while True:
                breakpoint()
                i += 1
        forever()
        """
    )
    program.prompt()
    for _ in range(10):
        program.line("n")
        program.prompt()
    program.ctrl_c(presses)
    for _ in range(5):
        program.line("c")
        program.prompt()
    program.ctrl_c(presses)
    program.line("p i")
    program.prompt()
    program.line("q")
    program.expect("BdbQuit")
    program.end(1)


def test_stepping_off_the_end_releases_and_the_program_goes_on(shells):
    program = shells.run(
        """
        import threading
        def work():
            breakpoint()
            return 1
        def go_on():
            work()
        threads = [threading.Thread(target=go_on) for _ in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print("all done")
        """
    )
    for _ in range(2):
        program.prompt()
        for shown in ("return 1", "--Return--", "--Return--"):
            program.line("n")
            program.expect(shown)
            program.prompt()
        program.line("n")
    program.expect("all done")
    program.end()


def test_stepping_off_the_end_of_the_program_ends_it(shells):
    program = shells.run("breakpoint()\nx = 1\n")
    program.prompt()
    program.line("n")
    program.prompt()
    program.line("n")
    program.expect("--Return--")
    program.prompt()
    program.line("n")
    program.end()


def test_an_error_inside_pdb_releases(shells):
    program = shells.run(
        """
        breakpoint()
        print("still here")
        """
    )
    program.prompt()
    # Not in a command, whose error is its own.
    program.line("!import treetap.debug.prompt as p; p.Prompt.postcmd = lambda *_: 1 / 0")
    program.expect("the prompt failed")
    program.expect("still here")
    program.end()


@pytest.mark.parametrize(
    "blocking",
    [
        "time.sleep(60)",
        # In no prompt's group; it goes when nobody can write to it any more.
        "subprocess.Popen(['cat'], stdin=subprocess.PIPE).wait()",
        "while True: pass",
    ],
    ids=["sleep", "child", "loop"],
)
@JOBS
def test_ctrl_c_in_a_long_step_brings_the_prompt_back_there(shells, blocking, has_jobs):
    program = shells.run(
        f"""
        import subprocess, time
        def block():
            print("in it")
            {blocking}
        breakpoint()
        block()
        print("never")
        """,
        has_jobs=has_jobs,
    )
    program.prompt()
    program.line("n")
    program.expect(r"-> block\(\)")
    program.prompt()
    program.line("n")
    program.expect("in it\n")
    if not blocking.startswith("while"):
        program.settle()
    program.ctrl_c()
    program.line("w")
    program.expect(r"block\(\)\n")
    program.prompt()
    program.line("q")
    program.expect("BdbQuit")
    program.end(1)


def interrupt_a_step(shells):
    """A program at the prompt that ctrl-c brought back, in a call that goes on by now."""
    program = shells.run(
        """
        import os
        def block():
            print("in it")
            received = os.read(pipe, 1)
            return received
        pipe, other = os.pipe()
        breakpoint()
        block()
        print("went on")
        """
    )
    program.prompt()
    program.line("n")
    program.prompt()
    program.line("n")
    program.expect("in it\n")
    program.settle()
    program.ctrl_c()
    program.line("!os.write(other, b'x')")
    program.prompt()
    return program


def test_a_step_that_was_interrupted_goes_on_to_its_end(shells):
    program = interrupt_a_step(shells)
    program.line("r")
    program.expect("--Return--")
    program.prompt()
    program.line("c")
    program.expect("went on")
    program.end()


@pytest.mark.parametrize("step", ["s", "n", "until"])
def test_a_step_from_where_ctrl_c_stopped_one_leads_on_in_the_program(shells, step):
    program = interrupt_a_step(shells)
    program.line(step)
    program.expect(r"program.py\(5\)block\(\)\n-> return received")
    program.prompt()
    program.line("c")
    program.expect("went on")
    program.end()
    assert "bdb.py" not in program.log


def test_a_command_that_runs_long_is_interrupted(shells):
    program = shells.run("import time\nbreakpoint()\nprint('went on')\n")
    program.prompt()
    program.line("!print(6 * 7); time.sleep(60)")
    program.expect("42\n")
    program.settle()
    program.ctrl_c()
    program.line("c")
    program.expect("went on")
    program.end()


@JOBS
def test_after_the_release_ctrl_c_reaches_the_program_again(shells, has_jobs):
    program = shells.run(
        "import time\nbreakpoint()\nprint('on')\ntime.sleep(60)\n", has_jobs=has_jobs
    )
    program.prompt()
    program.ctrl_c(2)
    program.line("c")
    program.expect("on\n")
    program.settle()
    program.type("\x03")
    program.expect("KeyboardInterrupt")
    program.end(-signal.SIGINT)


def test_sigint_by_hand_is_named_kept_back_and_delivered_after(shells):
    program = shells.run(PAUSES)
    program.prompt()
    for _ in range(2):
        os.kill(program.pid, signal.SIGINT)
        program.expect(r"treetap: SIGINT is kept back until program \(\d+\) has continued")
    program.line("p x")
    program.prompt()
    program.line("c")
    program.expect("KeyboardInterrupt")
    program.end(-signal.SIGINT)
    assert tracebacks_of_ours(program.log) == set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_act_at_once(shells, number):
    program = shells.run(PAUSES)
    program.prompt()
    os.kill(program.pid, number)
    program.end(-number)


def test_a_handler_of_the_programs_runs_at_the_prompt(shells):
    program = shells.run(
        """
        import signal, sys
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
        breakpoint()
        print("never")
        """
    )
    program.prompt()
    os.kill(program.pid, signal.SIGTERM)
    assert "never" not in program.end(5)


def test_ctrl_z_suspends_the_job_and_fg_brings_the_prompt_back(shells):
    program = shells.run(PAUSES)
    program.prompt()
    for _ in range(2):
        program.type("p x\x1a")
        program.wait_for_stop()
        assert program.modes() == program.modes_before
        assert program.foreground() == program.leader.pid
        program.resume()
        program.prompt()
        assert program.foreground() == program.broker()
    program.ctrl_c()
    program.line("c")
    program.expect("after")
    program.end()


def test_a_program_in_the_background_stops_until_it_is_in_the_foreground(shells):
    program = shells.run("import os\nos.kill(0, 19)\nbreakpoint()\nprint('went on')\n")
    program.wait_for_stop()
    program.resume_in_background()
    program.wait_for_stop()
    assert program.foreground() == program.leader.pid
    program.expect(r"treetap: program \(\d+\) has a prompt, and is stopped: .* \[pause-stopped\]")
    program.resume()
    program.prompt()
    program.line("c")
    program.expect("went on")
    program.end()


def test_the_modes_of_a_full_screen_program_are_back(shells):
    program = shells.run(
        """
        import termios, tty
        before = termios.tcgetattr(0)
        tty.setraw(0)
        raw = termios.tcgetattr(0)
        breakpoint()
        print("same" if termios.tcgetattr(0) == raw else "other", end="\\r\\n")
        termios.tcsetattr(0, termios.TCSANOW, before)
        """
    )
    program.prompt()
    program.line("p 6 * 7")
    program.expect("42")
    program.prompt()
    program.line("c")
    program.expect("same")
    program.end()


def test_without_a_terminal_it_is_said_once_and_the_program_goes_on(shells, tmp_path):
    import subprocess

    script = shells.program("breakpoint()\nbreakpoint()\nprint('went on')\n")
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "treetap.cli", "run", "--", sys.executable, script],
        env=shells.environment, capture_output=True, text=True, start_new_session=True, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "went on\n")
    assert done.stderr.count("\n") == 1
    assert "[pause-no-terminal]" in done.stderr


def test_an_error_before_there_is_a_terminal_is_said_and_the_program_goes_on(shells):
    program = shells.run(
        """
        import os
        os.getpgid, getpgid = None, os.getpgid
        breakpoint()
        os.getpgid = getpgid
        print("went on")
        """
    )
    program.expect(r"treetap: The prompt failed: TypeError.*claim\.py:\d+.*\[pause-failed\]\n")
    program.expect("went on")
    program.end()


def test_redirected_streams_do_not_matter(shells):
    program = shells.plainly(
        "sh", "-c", f"{os.sys.executable} -m treetap.cli run -- {os.sys.executable} "
        f"{shells.program(PAUSES)} < /dev/null > {shells.folder}/out 2>&1",
    )  # fmt: skip
    program.prompt()
    program.ctrl_c()
    program.line("p x + 1")
    program.expect("2")
    program.prompt()
    program.line("c")
    program.end()
    assert (shells.folder / "out").read_text() == "done 2\nafter\n"


def test_the_leader_of_a_session_has_a_prompt_too(shells):
    """As in a container: it can't leave its group."""
    program = shells.run(
        """
        import fcntl, os, sys, termios
        tty = os.ttyname(0)
        master, slave = os.openpty()
        pid = os.fork()
        if pid:
            os.close(slave)
            got = b""
            def until(text):
                global got
                while text not in got:
                    got += os.read(master, 1000)
                got = got.partition(text)[2]
            until(b"(Pdb) ")
            for _ in range(2):
                os.write(master, b"\\3")
                until(b"(Pdb) ")
            os.write(master, b"p 6 * 7\\n")
            until(b"42")
            os.write(master, b"c\\n")
            until(b"went on")
            os.write(master, b"read\\n")
            print("ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        else:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in (0, 1, 2):
                os.dup2(slave, fd)
            child = os.fork()
            if not child:
                import time
                time.sleep(60)
                os._exit(0)
            breakpoint()
            print("went on", os.waitpid(child, os.WNOHANG) == (0, 0), flush=True)
            os.kill(child, 9)
            os.waitpid(child, 0)
            os.read(0, 1)  # a session's terminal is lost with its leader, and what it hasn't shown yet
        """
    )
    program.expect("ended 0")
    program.end()


def test_pauses_without_treetap_run(shells):
    program = shells.plainly(
        os.sys.executable, shells.program("import treetap\ntreetap.pause()\nprint('went on')\n")
    )
    program.prompt()
    program.line("c")
    program.expect("went on")
    program.end()


def test_a_pdb_that_somebody_has_replaced_is_not_ours(shells):
    program = shells.run(
        "import pdb\nclass Theirs(pdb.Pdb): __init__ = None\npdb.Pdb = Theirs\n"
        "Theirs.__module__ = 'theirs'\nbreakpoint()\nprint('went on')\n"
    )
    program.prompt()
    program.line("c")
    program.expect("went on")
    program.end()


def test_nothing_is_loaded_until_somebody_pauses(shells):
    program = shells.run(
        "import sys\nprint([m for m in sys.modules if m.startswith('treetap.debug')], 'pdb' in sys.modules)\n"
    )
    program.expect(r"\[\] False")
    program.end()


def test_a_killed_broker_is_replaced_and_the_holder_restores_by_itself(shells):
    program = shells.run("breakpoint()\nprint('between')\nbreakpoint()\nprint('after')\n")
    program.prompt()
    os.kill(program.broker(), signal.SIGKILL)
    wait_until(lambda: not program.broker())
    program.ctrl_c(2)
    program.line("c")
    program.expect("between")
    program.prompt()
    assert program.foreground() == program.broker()
    program.line("c")
    program.expect("after")
    program.end()
