from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios

import pytest

from treetap.debug import terminal
from treetap.debug.custody import NoTerminal
from treetap.debug.neighbours import Turn
from treetap.debug.record import Record
from treetap.debug.visit import Visit, open_terminal_of

#: Leads a session with a terminal; its child is behind it until a line comes, then in front.
LEADER = """
import fcntl, os, signal, sys, termios
fd = int(sys.argv[1])
os.setsid()
fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    print(os.getpid(), flush=True)
    while True: signal.pause()
sys.stdin.readline()
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
os.tcsetpgrp(fd, child)
print("front", flush=True)
os.wait()
"""


class Root:
    """A process that is behind on its terminal."""

    def __init__(self):
        self.master, self.slave = os.openpty()
        self.leader = subprocess.Popen(
            [sys.executable, "-c", LEADER, str(self.slave)], pass_fds=[self.slave],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.pid = int(self.leader.stdout.readline())
        self.modes = termios.tcgetattr(self.slave)

    def come_to_the_front(self):
        self.leader.stdin.write("\n")
        self.leader.stdin.flush()
        assert self.leader.stdout.readline() == "front\n"

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        self.leader.communicate(timeout=20)
        os.close(self.slave)
        os.close(self.master)


@pytest.fixture
def root():
    made = Root()
    yield made
    made.close()


@pytest.fixture
def visit(root, tmp_path):
    made = visit_of(root, tmp_path)
    yield made
    os.close(made.fd)


def visit_of(root, tmp_path):
    fd = open_terminal_of(root.pid)
    record = Record(str(tmp_path / "tree.held"))
    return Visit(fd, root.pid, record, Turn(str(tmp_path), os.getsid(root.pid)))


def test_a_terminal_is_found_by_its_process(root, visit):
    assert os.path.samestat(os.fstat(visit.fd), os.fstat(root.slave))
    assert not visit.is_gone()
    assert open_terminal_of(2**22 + 1) is None


def test_it_is_taken_only_while_the_tree_has_it_and_its_modes_come_back(root, visit):
    assert visit.may_take()
    assert visit.take(0, 0) is None
    root.come_to_the_front()
    assert visit.take(0, 0).group == root.pid
    terminal.set_modes(visit.fd, terminal.reading(root.modes))
    for _ in range(2):
        visit.give_back(0)
    assert termios.tcgetattr(root.slave) == root.modes
    assert visit.former is None


def test_the_next_broker_restores_what_a_dead_one_had_changed(root, visit, tmp_path):
    root.come_to_the_front()
    visit.take(0, 0)
    terminal.set_modes(visit.fd, terminal.reading(root.modes))
    after = visit_of(root, tmp_path)
    after.recover()
    os.close(after.fd)
    assert termios.tcgetattr(root.slave) == root.modes
    assert Record(str(tmp_path / "tree.held")).read() is None


def test_nowhere_is_nothing_to_take():
    nowhere = NoTerminal()
    assert nowhere.is_gone()
    assert nowhere.take(0, 0) is None
