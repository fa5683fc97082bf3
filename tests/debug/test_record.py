from __future__ import annotations

import os
import subprocess
import sys
import termios

import pytest

from treetap.debug import terminal
from treetap.debug.record import Former, Record


@pytest.fixture
def modes():
    master, slave = os.openpty()
    yield termios.tcgetattr(slave)
    os.close(master)
    os.close(slave)


def test_a_record_has_what_was_written(tmp_path, modes):
    record = Record(str(tmp_path / "tree.held"))
    assert record.read() is None
    record.write(Former(7, modes, 8))
    assert record.read() == Former(7, modes, 8)
    record.clear()
    assert record.read() is None


@pytest.mark.parametrize("text", ["", "[", "{}", "[1, 2]", '["x", [], 1]', "[1, [1], 2]"])
def test_a_record_that_is_broken_is_none(tmp_path, text):
    path = tmp_path / "tree.held"
    path.write_text(text)
    former = Record(str(path)).read()
    assert former is None or former.modes == []


def test_a_holder_is_known_until_it_ends_however_it_ends(tmp_path, modes):
    path = str(tmp_path / "tree.held")
    record = Record(path)
    record.write(Former(7, modes, 8))
    program = (
        "import sys; from treetap.debug.record import Record\n"
        "record = Record(sys.argv[1]); record.hold(); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout.readline() == "held\n"
    assert record.is_held()
    assert record.holder() == holder.pid
    holder.kill()
    holder.communicate()
    assert not record.is_held()
    assert record.holder() == 0
    assert record.read() == Former(7, modes, 8)


def test_who_holds_it_and_asks_goes_on_holding_it(tmp_path):
    path = str(tmp_path / "tree.held")
    record = Record(path)
    record.hold()
    assert Record(path).holder() == os.getpid()  # as another thread asks
    assert Record(path).is_held()
    program = (
        "import sys; from treetap.debug.record import Record; print(Record(sys.argv[1]).is_held())"
    )

    def is_held_for_others():
        command = [sys.executable, "-c", program, path]
        return subprocess.check_output(command, text=True) == "True\n"

    assert is_held_for_others()
    record.let_go()
    assert not record.is_held()
    assert not is_held_for_others()


def test_the_keys_send_nothing_while_a_line_is_read_and_end_it(modes):
    reading = terminal.reading(modes)
    assert not reading[3] & termios.ISIG
    assert reading[3] & termios.ICANON
    assert reading[6][termios.VEOL] == b"\3"
    assert reading[6][termios.VEOL2] == b"\x1a"
    running = terminal.running(modes, is_quiet=False)
    assert running[3] & termios.ISIG
    assert not terminal.running(modes, is_quiet=True)[3] & termios.ISIG
