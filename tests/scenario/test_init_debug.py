"""``treetap.init(debug=True)`` in a program that ``treetap run`` hasn't started."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from tests.scenario.pty_shell import Shells

PROGRAM = """
    import subprocess, sys, treetap

    def child():
        return subprocess.run([sys.executable, "-c", "word = 'child'; breakpoint(); print('child goes on')"]).returncode

    treetap.init(debug=True, name="shop")
    word = "root"
    breakpoint()
    print("child ended with", child(), flush=True)
    treetap.shutdown()
    print("without it", flush=True)
    breakpoint()
    print("child ended with", child(), flush=True)
"""


@pytest.fixture
def shells(tmp_path):
    made = Shells(tmp_path)
    yield made
    made.close()


def test_the_program_and_what_it_starts_hold_until_shutdown_and_are_dumped_by_a_signal(shells):
    shell = shells.plainly(sys.executable, shells.program(PROGRAM))
    shell.expect(r"treetap: shop \(\d+\)")
    shell.prompt()
    shell.ctrl_c()
    shell.line("c")
    child = int(shell.expect(r"treetap: \S+ \((\d+)\), depth 1")[1])
    shell.prompt()
    os.kill(child, signal.SIGUSR1)
    shell.expect(rf"== shop \({shell.pid}\), depth 0")
    shell.expect(rf"== \w+ \({child}\), depth 1")
    shell.expect(r"thread MainThread \(is at the prompt\)\n +<string>:1 in <module>")
    shell.line("p word")
    shell.expect("'child'")
    shell.prompt()
    shell.line("c")
    shell.expect("child goes on\nchild ended with 0\nwithout it\n")
    for _ in range(2):
        shell.prompt()  # pdb's own
        shell.line("c")
    shell.expect("child ended with 0\n")
    shell.end()
    assert shell.log.count("treetap: ") == 2
