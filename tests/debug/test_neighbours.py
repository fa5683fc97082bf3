from __future__ import annotations

import subprocess
import sys

import pytest

from treetap.debug.neighbours import Turn

#: Does what its lines say, and answers each.
NEIGHBOUR = """
import sys
from treetap.debug.neighbours import Turn
turn = Turn(sys.argv[1], 7)
for line in sys.stdin:
    print(getattr(turn, line.strip())(), flush=True)
"""


class Neighbour:
    def __init__(self, folder):
        self._process = subprocess.Popen(
            [sys.executable, "-c", NEIGHBOUR, str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def does(self, what):
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return eval(self._process.stdout.readline())

    def kill(self):
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def neighbour(tmp_path):
    made = Neighbour(tmp_path)
    yield made
    made.kill()


def test_one_broker_has_its_turn_at_a_terminal_until_it_gives_it(neighbour, tmp_path):
    mine, others_terminal = Turn(str(tmp_path), 7), Turn(str(tmp_path), 8)
    assert neighbour.does("take")
    assert neighbour.does("take")
    assert not mine.take()
    assert others_terminal.take()
    neighbour.does("give")
    assert mine.take()
    assert not neighbour.does("take")
    mine.give()
    others_terminal.give()


@pytest.mark.parametrize("what", ["take", "hold"])
def test_a_turn_ends_with_its_process(neighbour, tmp_path, what):
    neighbour.does(what)
    mine = Turn(str(tmp_path), 7)
    assert not mine.take()
    neighbour.kill()
    assert mine.take()
    mine.give()


def test_a_holder_is_let_in_by_the_broker_that_has_the_turn(neighbour, tmp_path):
    mine = Turn(str(tmp_path), 7)
    assert mine.take()
    neighbour.does("hold")
    mine.give()
    assert not mine.take()  # the holder outlives its broker
    neighbour.does("give")
    assert mine.take()
    mine.give()


def test_a_directory_that_is_gone_keeps_nobody_from_the_terminal(tmp_path):
    turn = Turn(str(tmp_path / "gone"), 7)
    assert turn.take()
    turn.hold()
    turn.give()
