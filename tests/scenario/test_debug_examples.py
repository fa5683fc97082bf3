"""Each program of ``examples/debug/``, at its depths, with ctrl-c and without."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import psutil
import pytest

from tests.conftest import wait_until
from tests.docs.blocks import REPOSITORY
from tests.scenario.actor_trees import waiting_names
from tests.scenario.pty_shell import PROMPT, Shells

EXAMPLES = REPOSITORY / "examples" / "debug"
#: Each depth with ctrl-c; one without shows that it isn't ctrl-c that makes it work.
AXES = pytest.mark.parametrize(("depth", "presses"), [(1, 0), (2, 3), (3, 3)])
#: From here down somebody is between the root and the leaf.
NESTED = pytest.mark.parametrize(("depth", "presses"), [(2, 3), (3, 3)])


@pytest.fixture
def shells(tmp_path):
    made = Shells(tmp_path)
    yield made
    made.close()


def run(shells: Shells, name: str, *arguments: object, options: tuple[str, ...] = ()):
    script = str(EXAMPLES / name)
    return shells.command(
        "run", *options, "--", sys.executable, script, *(str(one) for one in arguments)
    )


def run_alone(shells: Shells, name: str, *arguments: object):
    return shells.plainly(sys.executable, str(EXAMPLES / name), *(str(one) for one in arguments))


ANSWERS = pytest.mark.parametrize(
    ("depth", "presses", "answer"), [(1, 0, "c"), (2, 3, "c"), (3, 3, "c"), (2, 3, "q")]
)


@ANSWERS
def test_pause(shells, depth, presses, answer):
    program = run(shells, "pause.py", depth)
    program.expect(rf"treetap: .*depth {depth}\n")
    program.prompt()
    program.ctrl_c(presses)
    program.line("p total + 1")
    program.expect("42")
    program.prompt()
    program.line(answer)
    if answer == "c":
        program.expect("the total is 42")
        program.expect("it ended with 0")
    else:
        program.expect("BdbQuit")
        program.expect("it ended with 1")
    program.end()


def test_pause_without_a_terminal_in_ci():
    done = subprocess.run(
        [sys.executable, "-m", "treetap.cli", "run", "--", sys.executable, EXAMPLES / "pause.py"],
        env={**os.environ, "CI": "true"}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        start_new_session=True, timeout=40,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "the total is 42\nit ended with 0\n"
    assert done.stderr.count("treetap:") == 1


@AXES
def test_pause_when_the_holder_is_killed_leaves_its_parent_alone(shells, depth, presses):
    program = run(shells, "pause.py", depth)
    pid = int(program.expect(r"treetap: .*?\((\d+)\)")[1])
    program.prompt()
    program.ctrl_c(presses)
    os.kill(pid, signal.SIGKILL)
    program.expect(r"it ended with (-9|247)\n")  # the latter from below, as an exit code
    program.end()
    assert "Traceback" not in program.log


@AXES
def test_again(shells, depth, presses):
    program = run(shells, "again.py", depth)
    program.prompt()
    for _ in range(3):
        program.line("n")
        program.prompt()
    program.ctrl_c(presses)
    program.line("c")
    for turn in (1, 2):
        program.prompt()
        program.line("p -turn")
        program.expect(rf"\n-{turn}\n")
        program.prompt()
        program.ctrl_c(presses)
        program.line("c")
        program.expect(f"turn {turn} makes {turn * 2}")
    program.expect("it ended with 0")
    program.end()


@ANSWERS
def test_crash(shells, depth, presses, answer):
    program = run(shells, "crash.py", depth)
    program.expect("post-mortem of ZeroDivisionError: division by zero")
    program.expect(r"divide\(\)")
    program.prompt()
    program.ctrl_c(presses)
    program.line("p -by, 'by'")
    program.expect(r"\(0, 'by'\)")
    program.prompt()
    program.line(answer)
    program.expect("ZeroDivisionError: division by zero")
    program.expect("it ended with 1")
    program.end()
    assert program.log.count("post-mortem") == 1


@AXES
def test_ignored(shells, depth, presses):
    program = run(shells, "ignored.py", depth)
    program.prompt()
    assert "post-mortem" not in program.log
    program.ctrl_c(presses)
    program.line("c")
    program.expect("but for this")
    program.expect("it ended with 0")
    program.end()


@AXES
def test_two(shells, depth, presses):
    program = run(shells, "two.py", depth)
    for _ in range(2):
        program.prompt()
        assert not re.search(PROMPT, program.text)
        program.ctrl_c(presses)
        program.line("c")
    program.expect(r"their codes are \[0, 0\]")
    program.expect("it ended with 0")
    program.end()
    assert program.log.count("one goes on") == 2


@AXES
def test_two_when_the_holder_is_killed(shells, depth, presses):
    program = run(shells, "two.py", depth)
    header = r"treetap: .*?\((\d+)\), depth \d+"
    holder = int(program.expect(header)[1])
    program.prompt()
    program.ctrl_c(presses)
    os.kill(holder, signal.SIGKILL)
    assert int(program.expect(header)[1]) != holder
    program.prompt()
    program.ctrl_c(presses)
    program.line("c")
    program.expect(r"their codes are \[-9, 0\]")
    program.expect("it ended with 0")
    program.end()


@pytest.mark.parametrize(
    ("depth", "presses", "who"),
    [(1, 0, "child"), (2, 3, "child"), (3, 3, "child"), (1, 3, "parent")],
)
def test_idle(shells, depth, presses, who):
    program = run(shells, "idle.py", depth, who)
    program.prompt()
    program.ctrl_c(presses)
    program.line("c")
    program.expect("it goes on")
    program.expect("yes, I am here")
    program.expect("it ended with 0")
    program.end()


@AXES
def test_off_the_end(shells, depth, presses):
    program = run(shells, "off_the_end.py", depth)
    program.prompt()
    program.ctrl_c(presses)
    for shown in ("the last line", "--Return--"):
        program.line("n")
        program.expect(shown)
        program.prompt()
    program.line("n")
    program.expect("and the rest")
    program.expect("it ended with 0")
    program.end()


@AXES
def test_long_step(shells, depth, presses):
    program = run(shells, "long_step.py", depth)
    program.prompt()
    program.line("n")
    program.expect(r"-> outcome = ")
    program.prompt()
    program.line("n")
    program.expect("other tasks run meanwhile")
    program.settle()
    for _ in range(max(1, presses)):
        program.type("\x03")
        program.prompt()
    program.line("w")
    program.expect(r"wait\(\)\n-> await asyncio\.wait_for")
    program.prompt()
    program.line("!loop.call_soon_threadsafe(woken.set)")
    program.prompt()
    program.line("c")
    program.expect("it was woken")
    program.expect("it ended with 0")
    program.end()


@AXES
def test_busy_root(shells, depth, presses):
    program = run(shells, "busy_root.py", depth)
    program.prompt()
    # It computes meanwhile, however long others keep the processor from it.
    root = psutil.Process(program.pid)
    began_s = sum(root.cpu_times()[:2])
    wait_until(lambda: sum(root.cpu_times()[:2]) > began_s + 0.1)
    program.ctrl_c(presses)
    program.line("c")
    program.expect("it goes on")
    program.expect("the root has counted far")
    program.end()


@AXES
def test_cancelled(shells, depth, presses):
    program = run(shells, "cancelled.py", depth)
    program.prompt()
    program.ctrl_c(presses)
    program.line("c")
    program.expect("it goes on")
    program.expect("cancelled: True")
    program.expect("it ended with 0")
    program.end()
    assert "never" not in program.log.replace("'never'", "")


@AXES
def test_hook(shells, depth, presses):
    program = run_alone(shells, "hook.py", depth)
    program.prompt()
    program.ctrl_c(presses)
    program.line("c")
    program.expect("it goes on")
    program.expect("it ended with 0")
    program.expect("as before: True")
    program.end()


def run_nested(shells: Shells, depth: int, what: str):
    """What is to happen does when the test says so: a busy machine has the prompt late."""
    return run_alone(shells, "actors_nested.py", depth, what, shells.folder / "now")


def prompt_of(program, name: str) -> int:
    pid = int(program.expect(rf"treetap: {name} \((\d+)\)")[1])
    program.prompt()
    return pid


@NESTED
def test_actors_nested_and_nothing_happens(shells, depth, presses):
    program = run_alone(shells, "actors_nested.py", depth, "nothing")
    prompt_of(program, "leaf")
    program.ctrl_c(presses)
    program.line("c")
    program.expect("the leaf goes on")
    program.expect("all are gone")
    program.end()


@NESTED
@pytest.mark.parametrize("who", ["root", "middle"])
def test_actors_nested_and_one_above_raises(shells, depth, presses, who):
    program = run_nested(shells, depth, f"{who}-raises")
    prompt_of(program, "leaf")
    (shells.folder / "now").touch()
    program.expect("has left the prompt")
    program.type("\x03" * presses)
    program.line("p sap * 2")
    program.expect("'sweetsweet'")
    program.prompt()
    program.line("c")
    if "post-mortem" not in program.log:
        program.expect(f"post-mortem of LookupError: the {who} broke")
    program.prompt()
    program.line("c")
    program.expect(f"the {who} broke")
    program.end(1)


@NESTED
def test_actors_nested_and_the_root_cancels(shells, depth, presses):
    program = run_nested(shells, depth, "root-cancels")
    prompt_of(program, "leaf")
    (shells.folder / "now").touch()
    program.expect("has left the prompt")
    program.type("\x03" * presses)
    program.line("p sap * 2")
    program.expect("'sweetsweet'")
    program.prompt()
    program.line("c")
    program.expect("cancelled")
    program.end(None)


@NESTED
def test_actors_nested_and_the_leaf_crashes(shells, depth, presses):
    program = run_alone(shells, "actors_nested.py", depth, "crash")
    names = ["leaf", *(f"level-{level}" for level in range(1, depth)), "actors_nested"]
    for name in names:
        prompt_of(program, name)
        program.ctrl_c(presses)
        program.line("c")
    program.end(1)
    assert program.log.count("post-mortem") == len(names)


@NESTED
def test_actors_nested_and_a_sibling_crashes(shells, depth, presses):
    program = run_nested(shells, depth, "sibling-crashes")
    prompt_of(program, "leaf")
    (shells.folder / "now").touch()
    wait_until(lambda: waiting_names(program, shells.home) == {"sibling"})
    program.ctrl_c(presses)
    program.line("c")
    prompt_of(program, "sibling")
    program.ctrl_c(presses)
    program.line("c")
    program.end(None)
    assert "the leaf goes on" in program.log


@NESTED
def test_actors_nested_and_the_root_is_told_to_end(shells, depth, presses):
    program = run_alone(shells, "actors_nested.py", depth, "nothing")
    prompt_of(program, "leaf")
    program.ctrl_c(presses)
    os.kill(program.pid, signal.SIGTERM)
    program.end(None)


@pytest.mark.parametrize("presses", [0, 3], ids=["calm", "ctrl-c"])
def test_actors_chosen(shells, presses):
    program = run_alone(shells, "actors_chosen.py")
    prompt_of(program, "debugged")
    program.ctrl_c(presses)
    program.line("c")
    program.expect("got: debugged broke")
    program.end()
    assert program.log.count("post-mortem") == 1


def test_actors_crowd(shells):
    program = run_alone(shells, "actors_crowd.py")
    # An error that goes up cancels those who start still.
    wait_until(lambda: len(waiting_names(program, shells.home)) == 8)
    for _ in range(13):
        program.prompt()
        program.ctrl_c()
        program.line("c")
    program.end(1)
    assert program.log.count("post-mortem") == 13
