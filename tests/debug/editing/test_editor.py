"""The editor on a real pseudo-terminal."""

from __future__ import annotations

import os
import select
import termios
import threading
import time
from concurrent.futures import Future

import pytest

from tests.conftest import wait_until
from tests.debug.editing.screen import Screen
from treetap.debug.editing.editor import Editor, can_edit
from treetap.debug.editing.history import History
from treetap.debug.terminal import HungUp

TIMEOUT_S = 20
NAMES = ["price", "print", "order.total", "order.tax"]


def complete(line, begin, end):
    return [name for name in NAMES if name.startswith(line[begin:end])]


class Typist:
    """Types, and looks at what the editor shows; the editor reads in a thread."""

    def __init__(self, **options):
        self.master, self.slave = os.openpty()
        termios.tcsetwinsize(self.slave, (24, 40))
        self.modes_before = termios.tcgetattr(self.slave)
        self.history = History()
        self.screen = Screen(40)
        self.received = b""
        self.editor = Editor(self.slave, complete, self.history, **options)

    def begin(self, prompt="> "):
        line = Future()

        def read():
            try:
                line.set_result(self.editor.read_line(prompt))
            except BaseException as exc:
                line.set_exception(exc)

        threading.Thread(target=read, daemon=True).start()
        # What stands on the screen may be of an earlier line.
        wait_until(lambda: not termios.tcgetattr(self.slave)[3] & termios.ICANON or line.done(), 20)
        return line

    def type(self, text):
        os.write(self.master, text.encode())

    def sees(self, *rows):
        """Wait until these are the last rows that aren't empty."""
        deadline = time.monotonic() + TIMEOUT_S
        while [row for row in self.screen.text() if row][-len(rows) :] != [*rows]:
            if time.monotonic() > deadline:
                pytest.fail(f"{self.screen.text()} instead of {rows}")
            if select.select([self.master], [], [], 0.1)[0]:
                self.received += os.read(self.master, 1000)
                text = self.received.decode(errors="ignore")
                if not text.endswith("\x1b") and not text.endswith("["):
                    self.screen.write(text.replace("\r\n", "\n").replace("\a", ""))
                    self.received = b""

    def reads(self, typed, prompt="> "):
        line = self.begin(prompt)
        self.type(typed)
        return line.result(TIMEOUT_S)


@pytest.fixture
def typist():
    made = Typist()
    yield made
    os.close(made.master)
    os.close(made.slave)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("p x\n", "p x\n"),
        ("p x\r", "p x\n"),
        ("\n", "\n"),
        ("\x04", ""),
        ("ab\x04\n", "ab\n"),
        ("x\x1b[Dab\x1b[C\x1b[3~c\n", "abxc\n"),
        ("漢字é\x7f\x7f😀\n", "漢😀\n"),
        ("p ord\t\x7fal\n", "p order.al\n"),
        ("p pri\tc\t\n", "p price\n"),
        ("\tx\n", "    x\n"),
        ("p nothing\t\n", "p nothing\n"),
        ("\x00\x1b[200~x\x1b\x1b[Ay\n", "xy\n"),
    ],
)
def test_a_line(typist, typed, line):
    assert typist.reads(typed) == line
    assert termios.tcgetattr(typist.slave) == typist.modes_before


def test_what_comes_after_the_line_is_left_to_whoever_reads_next(typist):
    assert typist.reads("one\ntwo\nthree\n") == "one\n"
    assert typist.reads("") == "two\n"
    assert os.read(typist.slave, 100) == b"three\n"


def test_a_line_that_is_longer_than_the_terminal_is_wide(typist):
    line = typist.begin()
    typist.type("x" * 50 + "\x01y")
    typist.sees("> y" + "x" * 37, "x" * 13)
    typist.type("\n")
    assert line.result(TIMEOUT_S) == "y" + "x" * 50 + "\n"


def test_tab_completes_as_far_as_it_can_and_lists_what_there_is(typist):
    line = typist.begin()
    typist.type("p pr\t\t")
    typist.sees("> p pri", "price  print", "> p pri")
    typist.type("c\t + or\t\t")
    typist.sees("> p price + order.t", "tax    total", "> p price + order.t")
    typist.type("a\t\n")
    assert line.result(TIMEOUT_S) == "p price + order.tax\n"


def test_the_lines_of_before_come_back(typist):
    for line in ("p one\n", "\n", "q\n", "q\n"):
        assert typist.reads(line) == line
    assert typist.history.lines() == ["p one", "q"]
    assert typist.reads("\x1b[A\x1b[A\n") == "p one\n"
    assert typist.reads("\x12one\x05!\n") == "p one!\n"


def test_searching_shows_what_it_finds(typist):
    for text in ("p total", "p tax", "w"):
        typist.history.add(text)
    line = typist.begin()
    typist.type("\x12t")
    typist.sees("(search)`t': p tax")
    typist.type("\x12")
    typist.sees("(search)`t': p total")
    typist.type("\x7fax")
    typist.sees("(search)`ax': p total")
    typist.type("\x07")
    typist.sees("> p total")
    typist.type("\x03")
    with pytest.raises(KeyboardInterrupt):
        line.result(TIMEOUT_S)


def test_ctrl_c_is_a_keyboard_interrupt_and_no_signal(typist):
    with pytest.raises(KeyboardInterrupt):
        typist.reads("abc\x03")
    typist.sees("> abc^C")
    assert termios.tcgetattr(typist.slave) == typist.modes_before
    assert typist.reads("\x19x\n") == "x\n"


def test_the_terminals_own_key_interrupts_too(typist):
    modes = termios.tcgetattr(typist.slave)
    modes[6][termios.VINTR] = b"\x07"
    termios.tcsetattr(typist.slave, termios.TCSANOW, modes)
    with pytest.raises(KeyboardInterrupt):
        typist.reads("abc\x07")


def test_what_was_cut_is_pasted_into_the_next_line(typist):
    assert typist.reads("a b\x17\n") == "a \n"
    assert typist.reads("\x19c\n") == "bc\n"


def test_ctrl_z_goes_away_and_comes_back_to_the_line():
    gone = []
    typist = Typist(suspend=lambda: gone.append(termios.tcgetattr(typist.slave)))
    line = typist.begin()
    typist.type("p 1\x1a")
    typist.sees("> p 1^Z", "> p 1")
    typist.type("2\n")
    assert line.result(TIMEOUT_S) == "p 12\n"
    assert len(gone) == 1


def test_modes_that_somebody_else_has_changed_are_set_again(typist):
    line = typist.begin()
    typist.type("ab")
    typist.sees("> ab")
    termios.tcsetattr(typist.slave, termios.TCSANOW, typist.modes_before)  # as a shell, after fg
    wait_until(lambda: not termios.tcgetattr(typist.slave)[3] & termios.ICANON)
    typist.type("\x01c\n")
    assert line.result(TIMEOUT_S) == "cab\n"


def test_a_terminal_that_goes_is_told():
    typist = Typist()
    line = typist.begin()
    os.close(typist.master)
    with pytest.raises(HungUp):
        line.result(TIMEOUT_S)
    with pytest.raises(HungUp):
        typist.editor.read_line("> ")
    os.close(typist.slave)


def test_a_terminal_that_can_move_its_cursor_is_known_by_its_name():
    assert can_edit({"TERM": "xterm-256color"})
    assert not can_edit({"TERM": "dumb"})
    assert not can_edit({"PATH": "/bin"})
