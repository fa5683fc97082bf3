"""Processes that can't have their tree's terminal, and are prompted on it all the same."""

from __future__ import annotations

import os
import signal

import pytest

from tests.conftest import wait_until
from tests.scenario.pty_shell import Shells
from treetap.debug.standing import holders
from treetap.node.identity import process_start_ns

#: A child in another session; ``BEFORE`` is what its parent does first, and in the tree's.
OUTSIDE = """
    import subprocess, sys, time

    def slow():
        open(f"{__file__}.slow", "w").close(); time.sleep(1000)

    is_slow = []

    def work(total):
        breakpoint()
        if is_slow:
            slow()
        print("child on", total, flush=True)

    if len(sys.argv) > 1:
        work(12)
    else:
        BEFORE
        ended = subprocess.run([sys.executable, __file__, "child"], start_new_session=True)
        print("root saw", ended.returncode, flush=True)
"""

#: The tree's own broker is there already, in the terminal's session; or it isn't, and can't be
#: started by a process that isn't in that session.
BROKERS = pytest.mark.parametrize("has_broker", [True, False], ids=["broker", "no-broker"])


@pytest.fixture
def shells(tmp_path):
    made = Shells(tmp_path)
    yield made
    made.close()


def start(shells, *, has_broker, has_jobs=True):
    program = shells.run(
        OUTSIDE.replace("BEFORE", "breakpoint()" if has_broker else "pass"), has_jobs=has_jobs
    )
    if has_broker:
        program.prompt()
        program.line("c")
    program.expect(r"treetap: program \(\d+\), depth 1\n")
    program.expect(r"program.py\(9\)work\(\)")
    program.prompt()
    return program


def finish(program):
    program.line("c")
    program.expect("child on 12")
    program.expect("root saw 0")
    program.end()


@BROKERS
@pytest.mark.parametrize(("presses", "term"), [(3, "dumb"), (3, "xterm"), (0, "dumb")])
def test_a_process_of_another_session_is_prompted_on_the_trees_terminal(
    shells, has_broker, presses, term
):
    shells.environment["TERM"] = term
    program = start(shells, has_broker=has_broker, has_jobs=presses > 0)
    program.ctrl_c(presses)
    program.line("p total + 30")
    program.expect(r"\n42\n")
    program.prompt()
    if has_broker:
        assert program.foreground() == program.broker()
    finish(program)


@BROKERS
def test_ctrl_c_in_its_step_brings_the_prompt_back_and_hits_nobody_else(shells, has_broker):
    program = start(shells, has_broker=has_broker)
    program.line("is_slow.append(True)")
    program.prompt()
    program.line("n")
    program.prompt()
    program.line("n")
    program.expect(r"-> slow\(\)")
    program.prompt()
    program.line("n")
    wait_until((shells.folder / "program.py.slow").exists, 20)
    program.settle()
    program.type("\x03")
    program.expect(r"program.py\(4\)slow\(\)")
    program.prompt()
    program.line("q")
    program.expect("BdbQuit")
    program.expect("root saw 1")
    program.end()


@BROKERS
def test_ctrl_z_suspends_the_job_and_fg_brings_the_prompt_back(shells, has_broker):
    program = start(shells, has_broker=has_broker)
    for _ in range(2):
        program.type("\x1a")
        program.wait_for_stop()
        assert program.modes() == program.modes_before
        program.resume()
        program.prompt()
    program.ctrl_c(2)
    finish(program)


@BROKERS
def test_it_takes_its_turn_with_those_who_have_the_terminal(shells, has_broker):
    program = shells.run(
        """
        import os, subprocess, sys
        if len(sys.argv) > 1:
            breakpoint()
            print("child on", flush=True)
        else:
            child = subprocess.Popen([sys.executable, __file__, "child"], start_new_session=True)
            FIRST
            breakpoint()
            print("root on", child.wait(), flush=True)
        """.replace("FIRST", "breakpoint()" if has_broker else "pass")
    )
    for _ in range(3 if has_broker else 2):
        program.prompt()
        program.ctrl_c(2)
        program.line("c")
    program.expect("root on 0")
    program.end()
    assert "child on" in program.log


@BROKERS
def test_a_console_that_is_killed_is_replaced(shells, has_broker):
    program = start(shells, has_broker=has_broker)
    console = consoles(shells)[-1]
    os.kill(console, signal.SIGKILL)
    program.prompt()
    assert consoles(shells)[-1] != console
    program.ctrl_c(2)
    finish(program)


def consoles(shells):
    """The broker's process that keeps the terminal, and the console that it has forked."""
    mark, found = os.fsencode(shells.home), []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read()
        except OSError:
            continue
        if b"broker_process" in words and mark in words:
            found.append((process_start_ns(int(name)), int(name)))  # pids begin anew at some time
    return [pid for start_ns, pid in sorted(found) if start_ns]


@BROKERS
def test_a_process_that_is_killed_at_its_prompt_leaves_a_usable_terminal(shells, has_broker):
    program = start(shells, has_broker=has_broker)
    program.line("import os; os.kill(os.getpid(), 9)")
    program.expect("root saw -9")
    program.end()


@BROKERS
def test_the_prompt_outlives_its_broker_and_the_terminal_comes_back(shells, has_broker):
    program = start(shells, has_broker=has_broker)
    broker = consoles(shells)[0]
    os.kill(broker, signal.SIGKILL)
    wait_until(lambda: broker not in consoles(shells), 20)
    program.line("p total + 30")
    program.expect(r"\n42\n")
    program.prompt()
    program.ctrl_c(2)
    finish(program)


def test_a_terminal_that_is_closed_at_its_prompt_lets_the_program_go_on(shells):
    """Its root ends by SIGHUP; the child, which is in another session, doesn't."""
    shells.environment["TREETAP_PAUSE_TIMEOUT_S"] = ""
    mark = shells.folder / "mark"
    program = shells.run(OUTSIDE.replace("BEFORE", "pass").replace(
        'print("child on", total, flush=True)', f"open({str(mark)!r}, 'w').close()"
    ))  # fmt: skip
    program.prompt()
    program.close()
    wait_until(mark.exists, 20)


def test_a_terminal_below_another_has_a_prompt_of_its_own(shells):
    """As in ``script``, ``tmux``, ``ssh``: both pause at once, each on the terminal that it sees."""
    program = shells.run(
        """
        import os, pty, sys, threading
        pid, master = pty.fork()
        if not pid:
            breakpoint()
            print("inner on", flush=True)
            os.read(0, 1)
            os._exit(0)
        seen = b""
        def until(text):
            global seen
            while text not in seen:
                seen += os.read(master, 1000)
            seen = seen.partition(text)[2]
        until(b"(Pdb) ")
        breakpoint()
        os.write(master, b"\\3")
        until(b"(Pdb) ")
        os.write(master, b"c\\n")
        until(b"inner on")
        os.write(master, b"x\\n")
        print("outer on", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        """
    )
    program.prompt()
    program.ctrl_c(2)
    program.line("c")
    program.expect("outer on 0")
    program.end()


def test_the_leader_of_a_session_is_interrupted_in_a_step(shells):
    """It can't leave its process group, so that no group could be made the terminal's foreground."""
    program = shells.run(
        """
        import os, pty, time
        mark = f"{__file__}.slow"
        def slow():
            open(mark, "w").close(); time.sleep(1000)
        pid, master = pty.fork()
        if not pid:
            breakpoint()
            slow()
            os._exit(0)
        seen = b""
        def until(text):
            global seen
            while text not in seen:
                seen += os.read(master, 1000)
            seen = seen.partition(text)[2]
        until(b"(Pdb) ")
        os.write(master, b"n\\n")
        until(b"-> slow()")
        until(b"(Pdb) ")
        os.write(master, b"n\\n")
        while not os.path.exists(mark):
            time.sleep(0.01)
        os.write(master, b"\\3")
        until(b"slow()")
        until(b"time.sleep(1000)")
        until(b"(Pdb) ")
        os.write(master, b"q\\n")
        until(b"BdbQuit")
        print("ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        """
    )
    program.expect("ended 1")
    program.end()


ORPHAN = """
    import os, subprocess, sys, time
    if len(sys.argv) > 1:
        breakpoint()
        open(sys.argv[1], "w").close()
    else:
        subprocess.Popen([sys.executable, __file__, MARK], start_new_session=OUTSIDE)
        time.sleep(1000)
"""


@pytest.mark.parametrize(
    ("term", "is_outside"), [("dumb", False), ("xterm", False), ("xterm", True)]
)
def test_who_outlives_its_root_at_the_prompt_leaves_the_terminal_to_the_shell(
    shells, term, is_outside
):
    shells.environment["TERM"] = term
    mark = shells.folder / "mark"
    program = shells.run(
        ORPHAN.replace("MARK", repr(str(mark))).replace("OUTSIDE", str(is_outside))
    )
    program.prompt()
    program.ctrl_c()
    os.kill(program.pid, signal.SIGKILL)
    wait_until(mark.exists, 20)
    program.end(-9)


def test_who_outlives_its_root_is_answered_from_another_terminal(shells):
    shells.environment["TREETAP_PAUSE_TIMEOUT_S"] = "60"
    mark = shells.folder / "mark"
    program = shells.run(ORPHAN.replace("MARK", repr(str(mark))).replace("OUTSIDE", "False"))
    program.prompt()
    os.kill(program.pid, signal.SIGKILL)
    program.expect(r"treetap answer --node \d+")
    answer = shells.command("answer")
    answer.prompt()
    answer.ctrl_c(2)
    answer.line("c")
    answer.end()
    wait_until(mark.exists, 20)
    program.end(-9)


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_fg_brings_the_prompt_back_after_the_rest_of_the_job_was_stopped(shells, term):
    """By hand here; by the kernel, where a process reads from the terminal that another one has."""
    shells.environment["TERM"] = term
    program = shells.run(
        """
        import os
        if os.fork() == 0:
            breakpoint()
            print("child on", flush=True)
            os._exit(0)
        os.wait()
        """
    )
    program.prompt()
    os.kill(program.pid, signal.SIGSTOP)
    program.wait_for_stop()
    assert program.foreground() == program.leader.pid
    program.resume()
    wait_until(lambda: program.foreground() == program.broker(), 20)
    program.line("p 6 * 7")
    program.expect("42\n")
    program.prompt()
    program.ctrl_c(2)
    program.line("c")
    program.expect("child on")
    program.end()


CLOSED = """
    import os, signal, sys
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    pid = os.fork()
    breakpoint()
    open(f"{__file__}.{os.getpid()}", "w").close()
"""


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_terminal_that_is_closed_holds_up_nobody_who_survives_it(shells, term):
    """One holds it, and one waits for it; both ignore SIGHUP, as below ``nohup``."""
    shells.environment["TERM"] = term
    program = shells.run(CLOSED)
    program.prompt()
    wait_until(lambda: len(holders(program.pid, home=str(shells.home), timeout_s=20)) == 2, 20)
    program.hang_up()
    wait_until(lambda: len(list(shells.folder.glob("program.py.*"))) == 2, 20)


def test_a_program_that_is_relayed_is_prompted_on_the_relays_terminal(shells):
    program = shells.run(
        """
        def work(x):
            breakpoint()
            return 1 / x
        work(0)
        """,
        "--relay",
        "--on-crash",
    )
    program.prompt()
    program.ctrl_c(2)
    program.line("p x")
    program.expect(r"\n0\n")
    program.prompt()
    program.line("c")
    program.expect("post-mortem of ZeroDivisionError")
    program.prompt()
    program.ctrl_c(2)
    program.line("c")
    program.end(1)
    assert "python:err] ZeroDivisionError: division by zero" in program.log
