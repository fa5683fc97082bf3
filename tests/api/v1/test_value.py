from __future__ import annotations

import json

import pytest

from treetap.api.v1.value import failure_of, value_of
from treetap.expression.redaction import Redaction
from treetap.model.captured import NotCaptured, error, not_captured
from treetap.model.probe import Limits
from treetap.probe.capture import capture


class Shelf:
    def __init__(self):
        self.name = "a"
        self.books = [1, 2]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (-3, -3),
        (2**63, 2**63),
        (-(10**200), -(10**200)),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        ('a|"b"\n', 'a|"b"\n'),
        ("żółć", "żółć"),
        ("\ud800", "\\ud800"),
        (b"\x00a", "\\x00a"),
        ([1, [None, "x"]], [1, [None, "x"]]),
        ((), []),
        ({1: 2.5, "a": {"b": ()}}, {"1": 2.5, "a": {"b": []}}),
        (Shelf(), {"name": "a", "books": [1, 2]}),
    ],
)
def test_a_captured_value_is_json(value, plain):
    found = value_of(capture(value, Limits(), Redaction()))
    assert found.plain == plain
    assert found.is_whole
    assert json.loads(found.text) == plain


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ("x" * 300, "x" * 255),
        (list(range(200)), list(range(100))),
        ({n: n for n in range(200)}, {str(n): n for n in range(100)}),
        ([[[["deep"]]]], [[[None]]]),
    ],
)
def test_what_was_cut_says_so(value, plain):
    found = value_of(capture(value, Limits(), Redaction()))
    assert found.plain == plain
    assert not found.is_whole


def test_an_integer_of_which_digits_are_missing_is_a_text():
    found = value_of({"$": "int", "v": "123", "len": 400})
    assert (found.plain, found.is_whole) == ("123", False)


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        (7, {"numericValue": 7.0}),
        (True, {"boolValue": True}),
        ("7", {"stringValue": "7"}),
        (None, None),
        ([1], None),
    ],
)
def test_scalars_have_a_typed_value(value, typed):
    assert value_of(capture(value, Limits(), Redaction())).typed == typed


def test_what_was_not_captured_is_null_and_not_whole():
    found = value_of(not_captured(NotCaptured.REDACTED))
    assert (found.plain, found.is_whole, found.typed) == (None, False, None)


def test_failures_are_told_apart_from_values():
    assert failure_of(error(ValueError("no"))) == ("ValueError", "ValueError: no")
    assert failure_of(error(KeyError())) == ("KeyError", "KeyError")
    assert failure_of(not_captured(NotCaptured.NO_NAME)) == (
        "NameError",
        "NameError: no such name here",
    )
    for value in (7, "Error", {"$": "list", "items": [], "len": 0}, not_captured("depth")):
        assert failure_of(value) is None
