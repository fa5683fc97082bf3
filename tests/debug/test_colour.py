from __future__ import annotations

import pytest

from treetap.debug.colour import can_colour, painted, painted_entry


@pytest.mark.parametrize(
    ("environment", "is_possible"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "PYTHON_COLORS": "0"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_colours_are_the_terminals_and_the_users_to_allow(environment, is_possible):
    assert can_colour(environment) is is_possible


def test_each_line_is_painted_by_itself():
    assert painted("a\n\nb", "1") == "\x1b[1ma\x1b[0m\n\n\x1b[1mb\x1b[0m"


def test_only_the_current_frames_line_stands_out():
    place = "\x1b[36mx.py(1)f()\x1b[0m\n-> "
    assert painted_entry("x.py(1)f()\n-> go()", is_current=True) == place + "\x1b[1mgo()\x1b[0m"
    assert painted_entry("x.py(1)f()\n-> go()", is_current=False) == place + "go()"
