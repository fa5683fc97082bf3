"""SIGUSR1 in real processes that have called ``init(debug=True)``."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap

import pytest

from tests.conftest import wait_until
from treetap.node import lineage

BEGIN = """
import os, signal, sys, time
import treetap

def say(word):
    os.write(1, f"{word}\\n".encode())

def send():
    os.kill(os.getpid(), signal.SIGUSR1)

def hear(number, frame):
    say("mine")
"""


class Program:
    """A program whose standard output says how far it is."""

    def __init__(self, source: str) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TREETAP_") or k == "TREETAP_HOME"}  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-c", BEGIN + textwrap.dedent(source)], env=clean,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.pid = self.process.pid

    def hear(self, word: str) -> None:
        assert self.process.stdout.readline() == f"{word}\n"

    def dump(self) -> str:
        """The next dump of this one process: to the empty line after it."""
        lines = []
        while not lines or lines[-1] != "\n":
            lines.append(self.process.stderr.readline())
            assert lines[-1], lines
        return "".join(lines)

    def go_on(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.fixture
def start(home):
    started: list[Program] = []

    def begin(source: str) -> Program:
        started.append(Program(source))
        return started[-1]

    yield begin
    for program in started:
        program.process.kill()
        program.process.communicate()


def test_it_is_answered_while_the_main_thread_is_in_c_and_nothing_notices(start):
    program = start("""
        import ctypes
        treetap.init(debug=True, name="shop")
        before = signal.getsignal(signal.SIGUSR1), sorted(sys.modules)
        say("ready")
        got = ctypes.CDLL(None).read(0, ctypes.create_string_buffer(1), 1)  # a read that C begins again
        say((got, signal.getsignal(signal.SIGUSR1) == before[0]))
    """)
    program.hear("ready")
    os.kill(program.pid, signal.SIGUSR1)
    dump = program.dump()
    assert dump.startswith(f"== shop ({program.pid}), depth 0")
    assert "thread MainThread\n" in dump
    assert re.search(r"<string>:1[78] in <module>", dump)  # it may be on its way there
    program.go_on()
    assert program.end() == (0, "(1, True)\n", "")


def test_a_former_handler_is_called_too_and_is_alone_again_after_shutdown(start):
    program = start("""
        signal.signal(signal.SIGUSR1, hear)
        treetap.init(debug=True)
        send()
        sys.stdin.readline()
        treetap.shutdown()
        send()
    """)
    program.hear("mine")
    assert "in <module>" in program.dump()
    program.go_on()
    assert program.end() == (0, "mine\n", "")


def test_a_handler_that_the_program_sets_later_takes_its_place_and_stays(start):
    program = start("""
        treetap.init(debug=True)
        signal.signal(signal.SIGUSR1, hear)
        send()
        treetap.shutdown()
        send()
        assert signal.getsignal(signal.SIGUSR1) is hear
    """)
    assert program.end() == (0, "mine\nmine\n", "")


@pytest.mark.parametrize("options", ["debug=True", "debug=False"])
def test_without_debug_and_after_shutdown_it_is_what_it_was(start, options):
    program = start(f"""
        treetap.init({options})
        treetap.shutdown()
        send()
    """)
    assert program.end() == (-signal.SIGUSR1, "", "")


def test_what_c_code_has_set_is_left_alone(start):
    program = start("""
        import faulthandler
        faulthandler.register(signal.SIGUSR1, file=1)
        treetap.init(debug=True)
        treetap.shutdown()
        send()
    """)
    code, out, err = program.end()
    assert (code, err) == (0, "")
    assert "most recent call first" in out


def test_what_c_code_sets_later_takes_its_place_and_stays_also_in_a_forked_child(start):
    program = start("""
        import faulthandler
        treetap.init(debug=True)
        faulthandler.register(signal.SIGUSR1, file=1, all_threads=False)
        send()
        child = os.fork()
        send()
        treetap.shutdown()
        send()
        if child:
            sys.exit(os.waitpid(child, 0)[1])
    """)
    code, out, err = program.end()
    assert (code, err) == (0, "")
    assert out.count("most recent call first") == 5


def test_what_c_code_has_taken_away_again_stays_away(start):
    program = start("""
        import faulthandler
        treetap.init(debug=True)
        faulthandler.unregister(signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, hear)
        if os.fork() == 0:
            send()
            treetap.shutdown()
            send()
            os._exit(0)
        os.wait()
    """)
    assert program.end() == (0, "mine\nmine\n", "")


def test_a_second_init_has_it_again_and_a_second_node_leaves_it_to_the_first(start):
    program = start("""
        from treetap.config.settings import resolve
        from treetap.node.core import Node
        treetap.init(debug=True)
        treetap.shutdown()
        treetap.init(debug=True, name="again")
        other = Node(resolve({"debug": True, "name": "other", "follow_children": False}))
        other.open()
        other.shutdown()
        send()
        sys.stdin.readline()
    """)
    assert program.dump().startswith("== again (")
    program.go_on()
    assert program.end() == (0, "", "")


def test_a_forked_child_answers_for_itself_also_while_its_parent_is_stopped(start):
    program = start("""
        treetap.init(debug=True, name="shop")
        child = os.fork()
        if child == 0:
            say(os.getpid())
            time.sleep(1000)
        os.waitpid(child, 0)
    """)
    child = int(program.process.stdout.readline())
    os.kill(program.pid, signal.SIGSTOP)
    wait_until(lambda: lineage.read_process(program.pid).state == "T", 20)
    try:
        os.kill(child, signal.SIGUSR1)
        parents, childs = program.dump(), program.dump()
    finally:
        os.kill(program.pid, signal.SIGCONT)
        os.kill(child, signal.SIGKILL)
    assert parents.startswith(f"== shop ({program.pid}), depth 0")
    assert "doesn't answer: it is stopped" in parents
    assert childs.startswith(f"== shop ({child}), depth 1")
    assert "<string>:18 in <module>" in childs
    assert program.end() == (0, "", "")
