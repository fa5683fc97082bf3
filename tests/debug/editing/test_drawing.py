"""A line that is typed, on a screen of few columns."""

from __future__ import annotations

import random

import pytest

from tests.debug.editing.screen import Screen
from treetap.debug.editing.drawing import Drawing, visible, width_of

LETTERS = ["a", "b", " ", "é", "漢", "😀", "\t", "e\u0301"]


def drawn(columns: int) -> tuple[Screen, Drawing]:
    screen = Screen(columns)
    return screen, Drawing(screen.write, lambda: columns)


def expected(columns: int, prompt: str, text: str, at: int) -> Screen:
    """The same on a new screen, which wraps by itself."""
    whole, part = Screen(columns), Screen(columns)
    whole.write(prompt + visible(text))
    part.write(prompt + visible(text[:at]))
    whole.row, whole.column = part.cursor()
    return whole


@pytest.mark.parametrize("columns", [2, 7, 10, 80])
def test_whatever_is_shown_one_after_another_the_last_one_stands_there(columns):
    chance = random.Random(columns)
    for _ in range(60):
        screen, drawing = drawn(columns)
        prompt = chance.choice(["(Pdb) ", "\x1b[1m>>> \x1b[0m", ""])
        drawing.begin(prompt)
        text = ""
        for _ in range(12):
            if chance.random() < 0.5:
                text += chance.choice(LETTERS)
            else:
                text = "".join(chance.choices(LETTERS, k=chance.randrange(25)))
            at = chance.choice([len(text), chance.randrange(len(text) + 1)])
            drawing.show(text, at)
            plain = prompt.replace("\x1b[1m", "").replace("\x1b[0m", "")
            wanted = expected(columns, plain, text, at)
            assert [row for row in screen.text() if row] == [r for r in wanted.text() if r]
            assert screen.cursor() == wanted.cursor()


def test_what_is_typed_at_the_end_is_all_that_is_written():
    written: list[str] = []
    drawing = Drawing(written.append, lambda: 80)
    drawing.begin("(Pdb) ")
    for length in range(1, 6):
        drawing.show("p 6*7"[:length], length)
    drawing.end("p 6*7")
    assert "".join(written) == "(Pdb) p 6*7\n"


def test_the_end_leaves_the_line_from_wherever_the_cursor_was():
    screen, drawing = drawn(10)
    drawing.begin("(Pdb) ")
    drawing.show("abcdefghijklm", 1)
    drawing.end("abcdefghijklm", "^C")
    assert screen.text() == ["(Pdb) abcd", "efghijklm^", "C", ""]


def test_candidates_are_listed_below_in_columns():
    screen, drawing = drawn(20)
    drawing.begin("(Pdb) ")
    drawing.show("ap", 2)
    drawing.list(["apple", "apricot", "apt"], "ap", 1)
    assert screen.text() == ["(Pdb) ap", "apple    apricot", "apt", "(Pdb) ap"]
    assert screen.cursor() == (3, 7)


def test_too_many_candidates_are_counted():
    screen, drawing = drawn(80)
    drawing.begin("")
    drawing.list([f"n{number}" for number in range(500)], "", 0)
    assert "and 380 more" in screen.text()


def test_ctrl_l_leaves_nothing_but_the_line():
    screen, drawing = drawn(20)
    drawing.begin("before\n(Pdb) ")
    drawing.show("abc", 1)
    drawing.clear("abc", 1)
    assert screen.text() == ["(Pdb) abc"]
    assert screen.cursor() == (0, 7)


def test_widths():
    assert [width_of(text) for text in ("ab", "漢", "e\u0301", "")] == [2, 2, 1, 0]
    assert visible("a\tb\x1b\x7f") == "a^Ib^[^?"
