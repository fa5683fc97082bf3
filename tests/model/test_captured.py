from __future__ import annotations

import pytest

from treetap.model.captured import NotCaptured, error, not_captured, render


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (1.5, "1.5"),
        ("a'b", '"a\'b"'),
        ({"$": "float", "v": "nan"}, "nan"),
        ({"$": "str", "v": "abc", "len": 9}, "'abc'… (9 chars)"),
        ({"$": "bytes", "v": "\\x00", "len": 1}, "b'\\x00' (1 bytes)"),
        ({"$": "list", "items": [1, 2], "len": 5}, "[1, 2, … 3 more]"),
        ({"$": "tuple", "items": [1], "len": 1}, "(1,)"),
        ({"$": "frozenset", "items": [1], "len": 1}, "frozenset({1})"),
        ({"$": "dict", "items": [["k", 1]], "len": 1}, "{'k': 1}"),
        ({"$": "list", "items": [], "len": 0, "type": "Stack"}, "Stack([])"),
        ({"$": "object", "type": "shop.Order", "fields": [["total", 3]], "len": 2},
         "Order(total=3, … 1 more)"),
        ({"$": "text", "type": "date", "v": "2026-11-21"}, "2026-11-21"),
        ({"$": "snapshot", "locals": [["a", 1]], "stack": [["f", "x.py", 3]]}, "a=1 @ f:3"),
        ({"$": "error", "type": "KeyError", "text": "k"}, "<KeyError: k>"),
        ({"$": "not-captured", "reason": "depth", "type": "T"}, "<T not captured: depth>"),
        ({"$": "from the future"}, "<from the future>"),
    ],
)  # fmt: skip
def test_a_captured_value_is_one_line_for_people(value: object, text: str):
    assert render(value) == text


def test_a_line_has_no_line_breaks_and_no_escapes_of_a_terminal():
    shown = render({"$": "text", "type": "T", "v": "a\nb\x1b[31m"})
    assert shown == "a\\nb\\x1b[31m"


def test_a_line_is_never_longer_than_asked():
    assert len(render("x" * 500, 20)) == 20
    assert render("x" * 500, 20).endswith("…")


def test_an_exception_of_the_user_runs_no_code_to_be_shown():
    class Evil(Exception):
        def __str__(self) -> str:
            raise AssertionError("was called")

    assert error(Evil("x")) == {"$": "error", "type": "Evil", "text": ""}
    assert error(ValueError("short")) == {"$": "error", "type": "ValueError", "text": "short"}
    assert len(error(ValueError("x" * 999))["text"]) == 255


def test_a_reason_is_named():
    assert not_captured(NotCaptured.DEPTH) == {"$": "not-captured", "reason": "depth"}
