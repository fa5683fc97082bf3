"""Prompts that are answered from another terminal than the program's, or that has none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import wait_until
from tests.scenario.pty_shell import Shells, settle
from treetap.debug.kinship import read_process

PAUSES = """
    def work(total):
        breakpoint()
        print("went on", total, flush=True)

    work(12)
"""


class Service:
    """A program without any terminal, as a service manager starts it."""

    def __init__(self, shells: Shells, *command: str, **environment: str) -> None:
        self._path = shells.folder / f"service-{time.monotonic_ns()}.log"
        with self._path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "treetap.cli", "run", "--", *command],
                env={**shells.environment, **environment}, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self._path.read_text()

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.log, 20)

    def ended(self) -> int:
        return self.process.wait(20)


@pytest.fixture
def shells(tmp_path):
    made = Shells(tmp_path)
    yield made
    made.close()


@pytest.fixture
def start(shells):
    """Starts services; all are waited for."""
    started = []

    def start(source, name="worker.py", wait=True, **environment):
        settings = {"TREETAP_PAUSE_TIMEOUT_S": "60", **environment}
        made = Service(shells, sys.executable, shells.program(source, name), **settings)
        started.append(made)
        if wait:
            made.wait_for(f"treetap answer --node {made.process.pid}")
        return made

    yield start
    for one in started:
        one.process.kill()
        one.process.wait(20)


def listed(shells):
    done = subprocess.run(
        [sys.executable, "-m", "treetap.cli", "answer", "--list", "--json"],
        env=shells.environment, capture_output=True, text=True, check=True, timeout=40,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


def holders(shells):
    """In this process: a command takes a third of a second."""
    from treetap.debug.standing import trees_with_prompts

    found = trees_with_prompts(home=str(shells.home), timeout_s=20).values()
    return {one.pid: one for standings in found for one in standings}


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_process_without_a_terminal_says_how_to_answer_and_is_answered(shells, start, term):
    shells.environment["TERM"] = term
    service = start(PAUSES)
    answer = shells.command("answer")
    answer.expect(r"answering worker \(\d+\)\. ctrl-d gives it back")
    answer.expect(r"worker.py\(2\)work\(\)")
    answer.prompt()
    os.kill(answer.pid, signal.SIGUSR1)  # for a dump, to whoever it may concern
    answer.type("nonsense that is dropped")
    answer.ctrl_c(3)
    answer.line("p total + 30")
    answer.expect(r"\n42\n")
    answer.prompt()
    answer.line("c")
    answer.expect(r"worker \(\d+\) goes on")
    answer.end()
    assert service.ended() == 0
    assert "went on 12" in service.log
    assert service.log.count("[pause-waiting]") == 1


def test_tab_completes_what_the_other_process_knows(shells, start):
    shells.environment["TERM"] = "xterm"
    service = start("conspicuous_name = 41\nbreakpoint()\nprint('on')\n")
    answer = shells.command("answer")
    answer.prompt()
    answer.type("p conspic\t")
    answer.expect("conspicuous_name")
    answer.line(" + 1")
    answer.expect(r"\n42\n")
    answer.line("c")
    answer.end()
    assert service.ended() == 0


def test_ctrl_c_in_a_step_brings_the_prompt_back_where_the_program_is(shells, start):
    service = start(
        """
        import time

        def slow():
            open(f"{__file__}.slow", "w").close(); time.sleep(1000)

        breakpoint()
        slow()
        """
    )
    answer = shells.command("answer")
    answer.prompt()
    answer.line("n")
    answer.expect(r"-> slow\(\)")
    answer.prompt()
    answer.line("n")
    wait_until((shells.folder / "worker.py.slow").exists, 20)
    settle(service.process.pid)
    answer.type("\x03")
    answer.expect(r"worker.py\(4\)slow\(\)")
    answer.prompt()
    answer.line("q")
    answer.end()
    assert service.ended() == 1
    assert "BdbQuit" in service.log


@pytest.mark.parametrize("way", ["ctrl-d", "killed", "terminated", "closed"])
def test_who_leaves_gives_it_back_and_it_waits_for_the_next(shells, start, way):
    service = start(PAUSES)
    pid = service.process.pid
    first = shells.command("answer")
    first.prompt()
    assert holders(shells)[pid].state == "holding"
    assert "on /dev/" in holders(shells)[pid].by
    if way == "ctrl-d":
        first.type("\x04")
        first.expect(r"worker \(\d+\) waits again")
        first.end()
    elif way == "closed":
        first.close()
    else:
        os.kill(first.pid, signal.SIGKILL if way == "killed" else signal.SIGTERM)
    wait_until(lambda: holders(shells)[pid].state == "waiting", 20)
    second = shells.command("answer", "--node", "worker")
    second.expect(r"> \S+worker.py\(2\)work\(\)\n-> breakpoint\(\)\n")
    second.prompt()
    second.line("p total")
    second.expect(r"\n12\n")
    second.prompt()
    second.line("c")
    second.end()
    assert service.ended() == 0
    assert service.log.count("[pause-waiting]") == 1


def test_two_people_cannot_answer_one_prompt(shells, start):
    service = start(PAUSES)
    first = shells.command("answer")
    first.prompt()
    second = shells.command("answer", "--node", str(service.process.pid))
    second.expect(rf"is answered already: \S+ on /dev/\S+ \({first.pid}\).*\[pause-taken\]")
    second.end(1)
    first.line("c")
    first.end()
    assert service.ended() == 0


def test_several_terminals_answer_several_prompts_at_once(shells, start):
    services = [start(PAUSES, f"{name}.py") for name in ("ann", "bob")]
    assert [one["state"] for one in listed(shells)] == ["waiting", "waiting"]
    answers = [shells.command("answer", "--node", name) for name in ("ann", "bob")]
    for one in answers:
        one.prompt()
    assert {one.state for one in holders(shells).values()} == {"holding"}
    for one in answers:
        one.line("c")
        one.end()
    assert [service.ended() for service in services] == [0, 0]


def test_nobody_to_answer_is_said(shells):
    answer = shells.command("answer", "--node", "nobody")
    answer.expect(r"There is no prompt to answer: 'nobody' doesn't wait.*\[pause-unknown\]")
    answer.end(4)


def test_what_comes_from_a_pipe_is_typed(shells, start):
    service = start(PAUSES)
    done = subprocess.run(
        [sys.executable, "-m", "treetap.cli", "answer"],
        env=shells.environment, input="p total * 2\n", capture_output=True, text=True, timeout=40,
    )  # fmt: skip
    assert "(Pdb) p total * 2\n24\n" in done.stdout
    assert "waits again" in done.stderr
    subprocess.run(
        [sys.executable, "-m", "treetap.cli", "answer"],
        env=shells.environment, input="c\n", capture_output=True, text=True, timeout=40,
    )  # fmt: skip
    assert service.ended() == 0


def test_a_limit_ends_the_wait_and_the_program_goes_on(shells, start):
    service = start(PAUSES, TREETAP_PAUSE_TIMEOUT_S="0.3", wait=False)
    assert service.ended() == 0
    assert "has waited 0.3 s for a prompt. It goes on" in service.log
    assert "went on 12" in service.log


def test_in_ci_it_is_said_once_and_the_program_goes_on(shells, start):
    service = start(
        "for _ in range(3): breakpoint()\nprint('went on')\n",
        TREETAP_PAUSE_TIMEOUT_S="",
        wait=False,
    )
    assert service.ended() == 0
    assert service.log.count("treetap:") == 1
    assert "[pause-no-terminal]" in service.log
    assert "went on" in service.log


TWO = """
    import os, sys
    pid = os.fork()
    who = "parent" if pid else "child"
    breakpoint()
    print(who, "on", flush=True)
    if pid:
        os.waitpid(pid, 0)
"""


@pytest.mark.parametrize("presses", [0, 2], ids=["calm", "ctrl-c"])
def test_who_waits_for_the_trees_terminal_is_answered_from_another(shells, presses):
    program = shells.run(TWO)
    program.prompt()
    waiter = wait_until(
        lambda: [one for one in holders(shells).values() if one.state == "waiting"], 20
    )[0]
    answer = shells.command("answer")
    answer.expect(rf"answering {waiter.name} \({waiter.pid}\)")
    answer.prompt()
    for one in (answer, program):
        one.ctrl_c(presses)
        one.line("p who")
        one.expect(r"\n'(parent|child)'\n")
        one.prompt()
    answer.line("c")
    answer.end()
    program.line("c")
    program.end()
    assert "parent on" in program.log
    assert "child on" in program.log


def test_who_was_answered_elsewhere_may_have_the_trees_terminal_later(shells):
    program = shells.run(TWO)
    program.prompt()
    wait_until(lambda: len(holders(shells)) == 2, 20)
    answer = shells.command("answer")
    answer.prompt()
    program.line("c")
    program.expect("(parent|child) on")
    answer.type("\x04")
    answer.expect("waits again")
    answer.end()
    program.prompt()
    assert program.foreground() == program.broker()
    program.ctrl_c(2)
    program.line("c")
    program.end()


def test_a_program_that_is_stopped_in_the_background_is_answered(shells):
    program = shells.run(
        """
        import os, time
        print("it runs")
        while not os.path.exists(f"{__file__}.go"):
            time.sleep(0.01)
        breakpoint()
        print("went on")
        """
    )
    program.expect("it runs")
    os.kill(program.pid, signal.SIGSTOP)
    program.wait_for_stop()
    program.resume_in_background()
    (shells.folder / "program.py.go").touch()
    program.wait_for_stop()
    answer = shells.command("answer")
    answer.prompt()
    answer.line("p 6 * 7")
    answer.expect("42")
    answer.prompt()
    answer.line("c")
    answer.end()
    program.resume()
    program.end(None)
    assert "went on" in program.log


def test_ctrl_z_suspends_who_answers_and_fg_brings_the_prompt_back(shells, start):
    service = start(PAUSES)
    answer = shells.command("answer")
    answer.prompt()
    answer.type("\x1a")
    answer.wait_for_stop()
    assert answer.modes() == answer.modes_before
    assert holders(shells)[service.process.pid].state == "holding"
    answer.resume()
    answer.prompt()
    answer.line("c")
    answer.end()
    assert service.ended() == 0


def test_a_process_that_dies_at_a_prompt_ends_who_answers(shells, start):
    service = start(PAUSES)
    answer = shells.command("answer")
    answer.prompt()
    service.process.kill()
    answer.expect("goes on|ended")
    answer.end()


WORKERS = """
    import multiprocessing, os, sys, time

    def work(who):
        n = 41 + who
        breakpoint()
        print("worker", who, "on", flush=True)

    if __name__ == "__main__":
        made = [multiprocessing.get_context("fork").Process(target=work, args=(one,), name=f"w{one}")
                for one in (0, 1)]
        if "later" in sys.argv[0]:
            print("it runs", flush=True)
            while not os.path.exists(f"{__file__}.go"):
                time.sleep(0.01)
        for one in made:
            one.start()
        for one in made:
            one.join()
"""


def stopped(pid):
    return read_process(pid).state == "T"


def test_each_of_a_stopped_job_is_answered_and_goes_on(shells):
    program = shells.run(WORKERS, name="later.py")
    program.expect("it runs")
    os.kill(program.pid, signal.SIGSTOP)
    program.wait_for_stop()
    program.resume_in_background()
    (shells.folder / "later.py.go").touch()
    program.wait_for_stop()
    while len(holders(shells)) < 2:  # the first has stopped the second on its way
        program.resume_in_background()
        program.wait_for_stop()
    for _ in range(2):
        answer = shells.command("answer")
        answer.expect(r"answering w[01]")
        answer.prompt()
        answer.line("p n - who")
        answer.expect(r"\n41\n")
        answer.prompt()
        answer.line("c")
        answer.end()
    program.resume()
    program.end()
    assert "worker 0 on" in program.log
    assert "worker 1 on" in program.log


def test_who_waits_in_a_suspended_job_is_answered_and_its_holder_is_not(shells):
    program = shells.run(WORKERS)
    program.prompt()
    wait_until(lambda: len(holders(shells)) == 2, 20)
    holder, waiter = sorted(holders(shells).values(), key=lambda one: one.state)
    program.type("\x1a")
    program.wait_for_stop()
    wait_until(lambda: stopped(holder.pid) and stopped(waiter.pid), 20)
    seen = shells.command("answer", "--list")
    seen.expect(rf"{holder.pid} +holding, stopped ")
    seen.end()
    refused = shells.command("answer", "--node", holder.name)
    refused.expect(r"is stopped\..*Bring it back with fg in its terminal.*\[pause-stopped\]")
    refused.end(1)
    answer = shells.command("answer", "--tree", str(program.pid))
    answer.prompt()
    answer.line("p n - who")
    answer.expect(r"\n41\n")
    answer.prompt()
    answer.line("c")
    answer.end()
    program.resume()
    program.prompt()
    program.line("c")
    program.end()


def test_who_is_answered_and_stopped_with_its_job_answers_still_and_can_be_left_in_a_step(shells):
    program = shells.run(
        """
        import os, time
        pid = os.fork()
        breakpoint()
        open(f"{__file__}.{os.getpid()}", "w").close(); time.sleep(1000)
        """
    )
    program.prompt()
    wait_until(lambda: len(holders(shells)) == 2, 20)
    holder, waiter = sorted(holders(shells).values(), key=lambda one: one.state)
    answer = shells.command("answer")
    answer.prompt()
    program.type("\x1a")
    program.wait_for_stop()
    wait_until(lambda: stopped(waiter.pid), 20)
    answer.line("p 6 * 7")
    answer.expect(r"\n42\n")
    answer.prompt()
    answer.line("n")
    answer.prompt()
    answer.line("n")
    wait_until((shells.folder / f"program.py.{waiter.pid}").exists, 20)
    os.kill(waiter.pid, signal.SIGSTOP)
    answer.expect(rf"{waiter.pid} is stopped: fg in its terminal brings it back")
    answer.type("\x03")
    answer.expect(r"is stopped: fg .* it waits again then")
    answer.end()
    for one in (holder, waiter):
        os.kill(one.pid, signal.SIGKILL)
