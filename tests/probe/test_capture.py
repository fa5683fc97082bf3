from __future__ import annotations

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import json
import pathlib
import re
import sys
import threading
import time
import types
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import hostile
from treetap.expression.redaction import Redaction
from treetap.model.captured import KIND, NotCaptured, not_captured, render
from treetap.model.probe import Limits
from treetap.probe.capture import MAX_NODES, capture, capture_named, is_secret, snapshot
from treetap.wire.codec import Encoder, decode

LIMITS = Limits()
REDACTION = Redaction()
HIDDEN = not_captured(NotCaptured.REDACTED)


def encode(form):
    """As a node sends it."""
    encoder = Encoder()
    encoder.prefer_msgpack()
    return encoder.encode(form)


def take(value, limits=LIMITS, **kwargs):
    return capture(value, limits, REDACTION, **kwargs)


def test_nothing_of_a_hostile_value_runs_and_all_of_it_crosses_the_wire():
    for which, value in hostile.values().items():
        hostile.CALLS.clear()
        started = time.thread_time()
        form = take(value)
        assert hostile.CALLS == [], which
        assert time.thread_time() - started < 0.5, which
        assert decode(encode(form)) == form, which
        json.dumps(form)
        assert len(render(form)) <= 200
        assert (
            form != not_captured(NotCaptured.ERROR, form.get("type", ""))
            if isinstance(form, dict)
            else True
        ), which


def test_a_value_that_is_nested_deeper_than_the_stack_is_cut():
    form = take(hostile.deep_list())
    assert "depth" in render(form)


def test_capturing_keeps_no_reference():
    value = hostile.Deletes()
    take([value])
    hostile.CALLS.clear()
    del value
    assert hostile.CALLS == ["__del__"]


@pytest.mark.parametrize("value", [0, -1, 2**63 - 1, -(2**63), 1.5, True, None, "text", "é", ""])
def test_a_scalar_is_taken_as_it_is(value):
    assert take(value) is value
    assert take([value])["items"][0] is value


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (2**63, {KIND: "int", "v": str(2**63)}),
        (-(2**70), {KIND: "int", "v": str(-(2**70))}),
        (float("nan"), {KIND: "float", "v": "nan"}),
        (float("-inf"), {KIND: "float", "v": "-inf"}),
        ("a" * 300, {KIND: "str", "v": "a" * 255, "len": 300}),
        ("x\ud800", {KIND: "str", "v": "x\\ud800", "len": 2}),
        (b"a\x00'", {KIND: "bytes", "v": "a\\x00'", "len": 3}),
        (bytearray(b"a" * 300), {KIND: "bytes", "v": "a" * 255, "len": 300}),
        (memoryview(b"abc"), {KIND: "bytes", "v": "abc", "len": 3}),
        ([1, "a"], {KIND: "list", "items": [1, "a"], "len": 2}),
        ((1,), {KIND: "tuple", "items": [1], "len": 1}),
        ({1}, {KIND: "set", "items": [1], "len": 1}),
        (frozenset({1}), {KIND: "frozenset", "items": [1], "len": 1}),
        ({"a": 1}, {KIND: "dict", "items": [["a", 1]], "len": 1}),
        (
            collections.deque([1]),
            {KIND: "list", "items": [1], "len": 1, "type": "collections.deque"},
        ),
        (array.array("i", [1]), {KIND: "list", "items": [1], "len": 1, "type": "array.array"}),
        ({"a": 1}.keys(), {KIND: "list", "items": ["a"], "len": 1, "type": "dict_keys"}),
        (
            collections.OrderedDict(a=1),
            {KIND: "dict", "items": [["a", 1]], "len": 1, "type": "collections.OrderedDict"},
        ),
        (range(3), {KIND: "text", "type": "range", "v": "range(0, 3)"}),
        (1 + 2j, {KIND: "text", "type": "complex", "v": "(1+2j)"}),
        (..., {KIND: "text", "type": "ellipsis", "v": "Ellipsis"}),
        (datetime.date(2026, 1, 2), {KIND: "text", "type": "datetime.date", "v": "2026-01-02"}),
        (
            datetime.timedelta(1),
            {KIND: "text", "type": "datetime.timedelta", "v": "1 day, 0:00:00"},
        ),
        (decimal.Decimal("1.10"), {KIND: "text", "type": "decimal.Decimal", "v": "1.10", "n": 1.1}),
        (fractions.Fraction(1, 3), {KIND: "text", "type": "fractions.Fraction", "v": "1/3"}),
        (uuid.UUID(int=5), {KIND: "text", "type": "uuid.UUID", "v": str(uuid.UUID(int=5))}),
        (re.compile("a+"), {KIND: "text", "type": "re.Pattern", "v": "a+"}),
        (json, {KIND: "text", "type": "module", "v": "json"}),
        (json.dumps, {KIND: "text", "type": "function", "v": "json.dumps"}),
        (ValueError, {KIND: "text", "type": "type", "v": "ValueError"}),
        (len, {KIND: "text", "type": "builtin_function_or_method", "v": "len"}),
    ],
)
def test_each_kind_of_value_has_its_form(value, form):
    assert take(value) == form


class Color(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Item:
    name: str
    price: float


@dataclasses.dataclass(slots=True)
class SlottedItem:
    name: str
    tags: list


class Unassigned:
    __slots__ = ("here", "not_here")

    def __init__(self):
        self.here = 1


def fields(form):
    return dict(map(tuple, form["fields"]))


def test_useful_forms():
    assert take(Color.RED)["v"] == "Color.RED"
    assert (take(Level.LOW)["v"], take(Level.LOW)["n"]) == ("Level.LOW", 1)
    assert take(Access.READ).get("n") is None
    assert take(decimal.Decimal("12.5"))["n"] == 12.5
    assert "n" not in take(decimal.Decimal("nan"))
    assert take(Access.READ | Access.WRITE)["v"] == "Access.READ|WRITE"
    assert (
        take(datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC))["v"] == "2026-01-02T00:00:00+00:00"
    )
    assert take(datetime.time(1, 2))["v"] == "01:02:00"
    assert "zone not captured" in take(datetime.datetime(2026, 1, 2, tzinfo=hostile.Zone()))["v"]
    path = pathlib.Path("/a") / "b"
    assert take(path)["v"] == "/a/b"
    assert take(Item("a", 1.5)) == {
        KIND: "object",
        "type": f"{__name__}.Item",
        "fields": [["name", "a"], ["price", 1.5]],
        "len": 2,
    }
    assert fields(take(SlottedItem("a", [1])))["tags"]["items"] == [1]
    assert fields(take(Unassigned())) == {"here": 1}
    assert fields(take(collections.namedtuple("P", "x y")(1, 2))) == {"x": 1, "y": 2}
    assert fields(take(ValueError("bad", 1)))["args"]["items"] == ["bad", 1]
    assert fields(take(types.SimpleNamespace(a=1))) == {"a": 1}
    assert fields(take(functools.partial(int, "3")))["args"]["items"] == ["3"]
    assert take(Item("a", 1).__init__)["v"].endswith("Item.__init__")


def test_a_path_does_not_get_its_text_cached_in_it():
    path = pathlib.PurePosixPath("/a", "b")
    assert take(path)["v"] == "/a/b"
    with pytest.raises(AttributeError):
        object.__getattribute__(path, "_str")


def test_models_of_others():
    pydantic = pytest.importorskip("pydantic")

    class Model(pydantic.BaseModel):
        name: str
        api_key: str = "k"

    assert fields(take(Model(name="a"))) == {"name": "a", "api_key": HIDDEN}


def test_arrays_and_tables():
    numpy = pytest.importorskip("numpy")
    form = fields(take(numpy.arange(6.0).reshape(2, 3), LIMITS._replace(max_items=2)))
    assert form["shape"]["items"] == [2, 3]
    assert form["dtype"] == "float64"
    assert form["items"]["items"] == [0.0, 1.0]
    assert take(numpy.int32(7)) == 7
    assert take(numpy.float64(1.5)) == 1.5
    assert fields(take(numpy.array([hostile.Raises()])))["items"]["items"] == []
    pandas = pytest.importorskip("pandas")
    form = fields(take(pandas.DataFrame({"a": [1], "b": [2]})))
    assert form["shape"]["items"] == [1, 2]
    assert form["columns"]["items"] == ["a", "b"]
    assert fields(take(pandas.Series([1], name="s")))["name"] == "s"


def test_the_limits_are_kept_and_what_is_beyond_is_marked():
    limits = Limits(max_depth=1, max_items=2, max_chars=3, max_fields=1)
    assert take([[1]], limits)["items"] == [not_captured(NotCaptured.DEPTH, "list")]
    assert take([1, 2, 3], limits) == {KIND: "list", "items": [1, 2], "len": 3}
    assert take({1: 1, 2: 2, 3: 3}, limits)["len"] == 3
    assert take("abcd", limits) == {KIND: "str", "v": "abc", "len": 4}
    assert take(Item("a", 1.5), limits)["fields"] == [["name", "a"]]
    assert take(Item("a", 1.5), limits)["len"] == 2
    assert take([1], Limits(0, 0, 0, 0)) == not_captured(NotCaptured.DEPTH, "list")


def test_a_cycle_is_marked_and_a_value_that_is_there_twice_is_not():
    loop = hostile.self_containing_list()
    assert take(loop)["items"][1] == not_captured(NotCaptured.CYCLE, "list")
    twice = [1]
    assert take([twice, twice])["items"][1]["items"] == [1]


def test_the_whole_value_has_a_budget():
    wide = [[[0] * 100 for _ in range(100)] for _ in range(100)]
    form = take(wide, LIMITS._replace(max_depth=10))

    def count(part):
        if type(part) is not dict:
            return 1
        return 1 + sum(map(count, part.get("items", ())))

    assert count(form) < 2 * MAX_NODES
    texts = take(["x" * 10_000 for _ in range(100)], LIMITS._replace(max_chars=10_000))
    assert len(encode(texts)) < 500_000


def test_secrets_are_redacted_by_name_wherever_they_are():
    form = take({"user": {"name": "a", "password": "p"}, b"api_key": 1, "items": [{"token": 2}]})
    text = render(form, 10_000)
    assert "'p'" not in text
    assert text.count("redacted") == 3
    assert fields(take(types.SimpleNamespace(authorization="x", shipping=1))) == {
        "authorization": HIDDEN,
        "shipping": 1,
    }


def test_a_value_is_redacted_by_the_name_of_its_expression():
    for expression in (
        "user.password",
        "row['ssn']",
        "tokens_of(user.api_key)",
        "password",
        "f'{user.password}'",
    ):
        assert is_secret(expression, REDACTION), expression
        assert capture_named(expression, "x", LIMITS, REDACTION) == HIDDEN
    for expression in ("token.kind", "order.total", "len(items)", "row['id']", "mapping[0]"):
        assert capture_named(expression, "x", LIMITS, REDACTION) == "x", expression


def test_allow_calls_takes_properties_too():
    class Sized:
        def __init__(self):
            self.items = [1]

        @property
        def size(self):
            return len(self.items)

        @property
        def broken(self):
            raise ValueError

    assert fields(take(Sized(), allow_calls=True))["size"] == 1
    assert "size" not in fields(take(Sized()))


def test_a_container_that_other_threads_change_is_captured():
    shared = {}
    stop = threading.Event()

    def change():
        number = 0
        while not stop.is_set():
            number += 1
            shared[number % 500] = number
            shared.pop((number * 7) % 500, None)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(2_000):
            assert take(shared)[KIND] == "dict"
    finally:
        stop.set()
        thread.join()


def test_a_snapshot_has_the_locals_and_the_stack():
    def inner(amount, password="p"):
        later = amount + 1
        form = snapshot(sys._getframe(), LIMITS, REDACTION)
        return form, later

    form, _ = inner(2)
    assert dict(map(tuple, form["locals"])) == {"amount": 2, "password": HIDDEN, "later": 3}
    function, file, line = form["stack"][0]
    assert function.endswith("inner")
    assert file == __file__
    assert line > 0
    assert form["stack"][1][0].startswith("test_a_snapshot")
    assert decode(encode(form)) == form


def test_a_snapshot_of_a_class_body_asks_no_mapping_of_the_program():
    class Names(dict):
        def items(self):
            hostile.ran("items")
            raise hostile.Broken

    class Meta(type):
        @classmethod
        def __prepare__(mcs, name, bases):
            return Names()

    hostile.CALLS.clear()

    class Made(metaclass=Meta):
        inside = 1
        form = snapshot(sys._getframe(), LIMITS, REDACTION)

    assert ["inside", 1] in Made.form["locals"]
    assert hostile.CALLS == []


_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**64),
    st.floats(),
    st.text(st.characters()),
    st.text(st.characters(categories=["Cs", "Lu"])),
    st.binary(),
    st.complex_numbers(),
    st.dates(),
    st.datetimes(timezones=st.timezones()),
    st.timedeltas(),
    st.decimals(),
    st.fractions(),
    st.uuids(),
)
_KEYS = st.one_of(st.none(), st.integers(), st.text(st.characters()), st.binary(), st.dates())
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.dictionaries(_KEYS, inner),
        st.lists(_KEYS).map(set),
        st.lists(_KEYS).map(frozenset),
        st.lists(inner).map(collections.deque),
        st.dictionaries(st.text(min_size=1), inner).map(
            lambda given: types.SimpleNamespace(**given)
        ),
    ),
    max_leaves=60,
)


@settings(max_examples=300, deadline=None)
@given(
    value=_VALUES,
    limits=st.builds(
        Limits, st.integers(0, 6), st.integers(0, 200), st.integers(0, 300), st.integers(0, 30)
    ),
)
def test_any_nested_data_is_captured_bounded_and_encodable(value, limits):
    form = capture(value, limits, REDACTION)
    assert decode(encode(form)) == form
    json.dumps(form, allow_nan=False).encode()
    assert len(render(form)) <= 200
    _check_bounds(form, limits, limits.max_depth)


def _check_bounds(form, limits, depth):
    if type(form) is not dict:
        assert form is None or type(form) in (bool, int, float, str)
        return
    kind = form[KIND]
    assert form.get("reason") != NotCaptured.ERROR
    if kind in {"list", "tuple", "set", "frozenset", "dict", "object"}:
        assert depth > 0
        parts = form["fields"] if kind == "object" else form["items"]
        assert len(parts) <= (limits.max_fields if kind == "object" else limits.max_items)
        for part in parts:
            for inner in part if kind == "dict" else part[1:] if kind == "object" else [part]:
                _check_bounds(inner, limits, depth - 1)


def test_twenty_small_dicts_take_tens_of_microseconds():
    rows = [{"id": number, "name": "thing", "price": 1.5} for number in range(20)]

    def taken_s(make):
        started = time.thread_time()
        make(rows)
        return time.thread_time() - started

    # Against what everybody's json does with it in C, on the same machine in the same moment.
    taken = [(taken_s(take), taken_s(json.dumps)) for _ in range(100)]
    assert min(ours for ours, _ in taken) < 12 * min(jsons for _, jsons in taken)
