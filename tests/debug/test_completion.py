"""What tab offers, of a prompt that stands in this module."""

from __future__ import annotations

import io
import sys

import pytest

from treetap.debug.completion import candidates
from treetap.debug.private import Private


class Order:
    total = 1
    _hidden = 2


@pytest.fixture
def pdb():
    pause = (
        Private(frozenset({"rlcompleter"}))
        .load("pdb")
        .Pdb(stdin=io.StringIO(), stdout=io.StringIO())
    )
    first_order = first_one = Order()
    pause.reset()
    pause.setup(sys._getframe(), None)
    assert first_order is first_one
    return pause


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("unti", {"until"}),
        ("first_", {"first_order", "first_one"}),
        ("p first_o", {"first_order", "first_one"}),
        ("!first_or", {"first_order"}),
        ("  p first_or", {"first_order"}),
        ("p first_order.", {"first_order.total"}),
        ("p first_order._hid", {"first_order._hidden"}),
        ("first_order.to", {"first_order.total"}),
        ("len(first_order.to", {"first_order.total"}),
        ("p isinst", {"isinstance"}),
        ("p nothing_like_this", set()),
        ("p nothing.like.this", set()),
        ("help unti", {"until"}),
    ],
)
def test_candidates(pdb, line, found):
    begin = max(line.rfind(char) for char in " !(") + 1
    assert {one.strip("()") for one in candidates(pdb, line, begin, len(line))} == found


def test_a_line_of_python_has_no_commands(pdb):
    assert "until" not in candidates(pdb, "unt", 0, 3, is_python=True)
    assert "first_one" in candidates(pdb, "first_on", 0, 8, is_python=True)
