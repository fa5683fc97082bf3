"""Trees that shells, make and terminals make: two prompts, one after another, on one usable terminal."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import termios

import pytest

from tests.scenario.trees import answer_each, run_command, worker
from tests.scenario.trees import shells as shells  # a fixture

JOBS = pytest.mark.parametrize("has_jobs", [True, False], ids=["jobs", "no-jobs"])


def run_shell(shells, script, *, has_jobs=True):
    """``treetap run -- sh -c SCRIPT``."""
    return shells.plainly(*run_command("sh", "-c", script), has_jobs=has_jobs)


def first_and_second(shells):
    return (shlex.join(worker(shells, number)) for number in (1, 2))


@JOBS
def test_a_pipeline(shells, has_jobs):
    first, second = first_and_second(shells)
    program = run_shell(shells, f"{first} | {second} | cat; echo done", has_jobs=has_jobs)
    answer_each(program)
    program.expect("done")
    program.end()


@JOBS
def test_a_pipeline_of_two_trees(shells, has_jobs):
    first, second = (shlex.join(run_command(*worker(shells, n))) for n in (1, 2))
    program = shells.plainly("sh", "-c", f"{first} | {second}; echo done", has_jobs=has_jobs)
    answer_each(program)
    program.expect("done")
    program.end()


def test_trees_below_a_tree(shells):
    first, second = (shlex.join(run_command(*worker(shells, n))) for n in (1, 2))
    third = shlex.join(worker(shells, 3))
    program = run_shell(shells, f"{first} & {second} & {third} & wait; echo done")
    answer_each(program, 3)
    program.expect("done")
    program.end()


def test_two_trees_of_which_one_is_killed_at_the_prompt(shells):
    first, second = (shlex.join(run_command(*worker(shells, n))) for n in (1, 2))
    program = shells.plainly("sh", "-c", f"{first} & {second} & wait; echo done")
    killed = int(program.expect(r"treetap: work \((\d+)\)")[1])
    program.prompt()
    program.ctrl_c()
    os.kill(killed, signal.SIGKILL)
    assert int(program.expect(r"treetap: work \((\d+)\)")[1]) != killed
    program.prompt()
    program.ctrl_c()
    program.line("c")
    program.expect("done")
    program.end()


@pytest.mark.parametrize("trees", ["one", "two"])
def test_make_with_two_jobs(shells, trees):
    if shutil.which("make") is None:
        make = [sys.executable, shells.program(STAND_IN_FOR_MAKE, "make.py")]
    else:
        make = ["make", "-s", "-j2", "-O", "-C", str(shells.folder)]
    command = run_command if trees == "two" else lambda *command: [*command]
    first, second = (shlex.join(command(*worker(shells, n))) for n in (1, 2))
    recipes = f"all: first second\n\t@echo done\nfirst:\n\t@{first}\nsecond:\n\t@{second}; true\n"
    (shells.folder / "Makefile").write_text(recipes)
    program = shells.plainly(*(make if trees == "two" else run_command(*make)))
    answer_each(program)
    program.expect("done")
    program.end()


#: Both recipes at once, as make runs them: below shells, in its own group, output in a file.
STAND_IN_FOR_MAKE = """
    import re, subprocess, sys, tempfile
    from pathlib import Path

    recipes = re.findall("\\t@(.*)", Path(sys.path[0], "Makefile").read_text())
    kept = tempfile.TemporaryFile()
    jobs = [subprocess.Popen(["sh", "-c", recipe], stdout=kept) for recipe in recipes[1:]]
    assert [job.wait() for job in jobs] == [0, 0]
    subprocess.run(["sh", "-c", recipes[0]], check=True)
"""


def test_xargs_with_two_jobs(shells):
    each = shlex.join(worker(shells, 0)[:-1])
    program = run_shell(shells, f"printf '1 2' | xargs -P 2 -n 1 {each}; echo done")
    answer_each(program)
    program.expect("done")
    program.end()


def test_a_script_of_sh_has_the_terminal_afterwards(shells):
    script = shells.folder / "script.sh"
    script.write_text(
        f"{shlex.join(run_command(sys.executable, shells.pool))}\n"
        "stty -a | grep -c ' echo '\nread line\necho read $line\n"
    )
    program = shells.plainly("sh", str(script), has_jobs=False)
    answer_each(program)
    program.expect(r"done \[1, 4\]\n1\n")
    program.line("a line")
    program.expect("read a line")
    program.end()


def test_an_interactive_shell_below_a_tree_controls_its_own_jobs(shells):
    program = shells.plainly(*run_command("bash", "--norc", "--noediting", "-i"))
    program.expect(r"[$#] ")
    program.line(shlex.join([sys.executable, shells.pool]))
    answer_each(program)
    program.expect(r"done \[1, 4\]")
    program.expect(r"[$#] ")
    program.line("exit 7")
    program.end(7)


def test_a_terminal_that_stops_who_writes_in_the_background_stops_nobody(shells):
    script = shells.program(
        """
        import os
        ours, theirs = os.pipe()
        if os.fork() == 0:
            os.read(ours, 1)
            os.write(1, b"written in the background\\n")
            os._exit(0)
        breakpoint()
        print("done", os.wait()[1])
        """
    )
    run = shlex.join(run_command(sys.executable, script))
    program = shells.plainly("sh", "-c", f"stty tostop; exec {run}")
    program.modes_before[3] |= termios.TOSTOP
    program.prompt()
    program.line("os.write(theirs, b'!')")
    program.expect("written in the background")
    program.line("c")
    program.expect("done 0")
    program.end()


#: A terminal in a terminal, as script, ssh and tmux make it: the command leads its session.
STAND_IN_FOR_SCRIPT = """
    import os, pty, sys
    sys.exit(os.waitstatus_to_exitcode(pty.spawn(["sh", "-c", sys.argv[1]])))
"""


def script_command(shells, command):
    if shutil.which("script") is not None and sys.platform == "linux":
        return ["script", "-qec", command, "/dev/null"]
    return stand_in_command(shells, command)


def stand_in_command(shells, command):
    return [sys.executable, shells.program(STAND_IN_FOR_SCRIPT, "script.py"), command]


@pytest.mark.parametrize("terminal", [script_command, stand_in_command], ids=["script", "pty"])
@pytest.mark.parametrize("way", ["tree in terminal", "terminal in tree"])
def test_a_terminal_in_a_terminal(shells, terminal, way):
    pool = [sys.executable, shells.pool]
    if way == "tree in terminal":
        command = terminal(shells, shlex.join(run_command(*pool)))
    else:
        command = run_command(*terminal(shells, shlex.join(pool)))
    program = shells.plainly(*command)
    answer_each(program)
    program.expect(r"done \[1, 4\]")
    program.end()


@pytest.fixture
def tmux_command(shells):
    """Makes the command that runs another in tmux, on a server of this test."""
    if shutil.which("tmux") is None:
        yield lambda command: stand_in_command(shells, command)
        return
    shells.environment |= {"TERM": "xterm", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
    server = ["tmux", "-S", str(shells.folder / "tmux"), "-f", "/dev/null"]
    yield lambda command: [*server, "new-session", command]
    subprocess.run([*server, "kill-server"], capture_output=True)


@pytest.mark.parametrize("way", ["tree in tmux", "tmux in tree"])
def test_tmux(shells, tmux_command, way):
    pool = [sys.executable, shells.pool]
    ending = "; echo done; read line"  # what is shown last is lost with the window
    if way == "tree in tmux":
        command = tmux_command(shlex.join(run_command(*pool)) + ending)
    else:
        command = run_command(*tmux_command(shlex.join(pool) + ending))
    program = shells.plainly(*command)
    for _ in range(2):
        program.expect(r"treetap: ForkPoolWorker-\d")
        program.prompt()
        program.ctrl_c(2)
        program.line("c")
    program.expect("done")
    program.line("")
    program.end()
