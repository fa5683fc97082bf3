"""A line as it is typed."""

from __future__ import annotations

import random

import pytest

from treetap.debug.editing.typed import _ACTS, Typed


def after(keys: list[str], *earlier: str, text: str = "", at: int | None = None) -> str:
    """The line after these keys, with ``|`` for the cursor."""
    typed = Typed(earlier)
    typed.insert(text)
    if at is not None:
        typed.at = at
    for key in keys:
        if not typed.do(key):
            typed.insert(key)
    return f"{typed.text[: typed.at]}|{typed.text[typed.at :]}"


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["x"], "one two.threex|"),
        (["ctrl-a", "x"], "x|one two.three"),
        (["home", "right", "delete"], "o|e two.three"),
        (["left", "backspace"], "one two.thr|e"),
        (["alt-b"], "one two.|three"),
        (["alt-b", "ctrl-left"], "one |two.three"),
        (["home", "alt-f", "ctrl-right"], "one two|.three"),
        (["ctrl-w"], "one |"),
        (["alt-backspace"], "one two.|"),
        (["ctrl-u"], "|"),
        (["home", "alt-d"], "| two.three"),
        (["alt-b", "ctrl-k"], "one two.|"),
        (["alt-b", "ctrl-k", "home", "ctrl-y"], "three|one two."),
        (["alt-b", "ctrl-k", "ctrl-k", "ctrl-y"], "one two.three|"),
        (["x", "ctrl-t"], "one two.threxe|"),
        (["home", "ctrl-t", "backspace", "left"], "|one two.three"),
        (["end", "delete", "right"], "one two.three|"),
    ],
)
def test_keys_edit(keys, line):
    assert after(keys, text="one two.three") == line


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["up"], "new|"),
        (["up", "up"], "old|"),
        (["up", "up", "up"], "old|"),
        (["up", "up", "down", "down"], "mine|"),
        (["down"], "mine|"),
        (["page-up"], "old|"),
        (["page-up", "page-down"], "mine|"),
        (["up", "x", "up", "down"], "new|"),
    ],
)
def test_keys_go_through_what_was_typed_before(keys, line):
    assert after(keys, "old", "new", text="mine") == line


def test_find_goes_to_older_and_older_ones():
    typed = Typed(["p one", "q", "p two"])
    assert typed.find("p", is_next=False)
    assert (typed.text, typed.at) == ("p two", 0)
    assert typed.find("o", is_next=False)
    assert (typed.text, typed.at) == ("p two", 4)
    assert typed.find("o", is_next=True)
    assert (typed.text, typed.at) == ("p one", 2)
    assert not typed.find("o", is_next=True)
    assert typed.text == "p one"


def test_no_keys_ever_lead_out_of_the_line():
    chance = random.Random(3)
    keys = [*_ACTS, "x", " ", "."]
    typed = Typed(["", "earlier one", "z"])
    for _ in range(5000):
        key = chance.choice(keys)
        if not typed.do(key):
            typed.insert(key)
        assert 0 <= typed.at <= len(typed.text)
        typed.replace(0, len(typed.text[80:]), "")
        typed.at = min(typed.at, len(typed.text))
