from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
from typing import Any

import pytest

from tests import hostile
from treetap.dap.inside.plain import Plain
from treetap.expression.redaction import Redaction

LIMITS = {"max_depth": 2, "max_items": 3, "max_chars": 10, "max_fields": 2}


def plain(value: Any, **limits: int) -> Any:
    form = Plain({**LIMITS, **limits}, Redaction().hides).of(value)
    assert json.loads(json.dumps(form)) == form, "what goes over is JSON"
    return form


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Order:
    number: int
    api_key: str
    more: int = 0


class Slotted:
    __slots__ = ("first", "unset")

    def __init__(self) -> None:
        self.first = 1


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise AssertionError("the program's code ran")


NESTED: list[Any] = []
NESTED.append(NESTED)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (True, True),
        (2**70, {"$": "int", "v": str(2**70)}),
        (float("-inf"), {"$": "float", "v": "-inf"}),
        ("x" * 11, {"$": "str", "v": "x" * 10, "len": 11}),
        ("\udc80", {"$": "str", "v": "\\udc80", "len": 1}),
        (b"\0" * 11, {"$": "bytes", "v": "\\x00" * 10, "len": 11}),
        (Text("a"), "a"),
        ([1, 2, 3, 4], {"$": "list", "items": [1, 2, 3], "len": 4}),
        ({1}, {"$": "set", "items": [1], "len": 1}),
        (
            collections.deque([1]),
            {"$": "list", "items": [1], "len": 1, "type": "collections.deque"},
        ),
        ({"a": {"token": "x"}}, None),
        (Colour.RED, {"$": "text", "type": f"{__name__}.Colour", "v": "Colour.RED"}),
        (
            datetime.date(2024, 1, 2),
            {"$": "text", "type": "datetime.date", "v": "2024-01-02"},
        ),
        (decimal.Decimal("1.50"), {"$": "text", "type": "decimal.Decimal", "v": "1.50"}),
        (pathlib.PurePosixPath("/a/b"), None),
        (Plain, {"$": "text", "type": "type", "v": "treetap.dap.inside.plain.Plain"}),
        (json, {"$": "text", "type": "module", "v": "json"}),
        (NESTED, None),
        (
            Slotted(),
            {"$": "object", "type": f"{__name__}.Slotted", "fields": [["first", 1]], "len": 1},
        ),
        (
            ValueError("no"),
            {
                "$": "object",
                "type": "ValueError",
                "fields": [["args", {"$": "tuple", "items": ["no"], "len": 1}]],
                "len": 1,
            },
        ),
    ],
)
def test_a_value_has_the_form_that_treetap_has_for_it(value: Any, form: Any):
    found = plain(value, max_chars=40 if isinstance(value, type | pathlib.PurePath) else 10)
    if form is not None:
        assert found == form


def test_what_is_left_out_says_why():
    assert plain(NESTED)["items"] == [{"$": "not-captured", "reason": "cycle", "type": "list"}]
    deep = plain([[[1]]])
    assert deep["items"][0]["items"] == [{"$": "not-captured", "reason": "depth", "type": "list"}]
    order = plain(Order(1, "secret"))
    hidden = {"$": "not-captured", "reason": "redacted", "type": "str"}
    assert (order["fields"], order["len"]) == ([["number", 1], ["api_key", hidden]], 3)
    wide = plain([list(range(1000))] * 1000, max_items=1000)
    assert {"$": "not-captured", "reason": "size", "type": "list"} not in wide["items"]
    assert len(json.dumps(plain([[[]] * 100] * 100, max_items=1000, max_depth=9))) < 200_000


def test_nothing_of_a_hostile_value_runs_and_all_of_it_is_json():
    for which, value in hostile.values().items():
        hostile.CALLS.clear()
        form = plain(value)
        assert hostile.CALLS == [], which
        if isinstance(form, dict):
            assert form.get("reason") != "error", which
