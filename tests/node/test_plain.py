from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treetap.model.captured import KIND
from treetap.node import plain
from treetap.wire import codec


class Odd:
    pass


def encode_both_ways(message):
    encoder = codec.Encoder()
    encoder.encode(message)
    encoder.prefer_msgpack()
    encoder.encode(message)


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary()
)
VALUES = st.recursive(
    SCALARS | st.just(Odd()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.lists(st.tuples(st.integers(0, 2**60), VALUES, VALUES), max_size=5))
def test_whatever_was_captured_can_be_sent(rows):
    encode_both_ways(plain.plain_rows(rows, 20))
    fit = plain.fit_rows(rows, 20)
    assert len(fit) == len(rows)


def test_what_is_plain_already_is_not_copied():
    rows = [(1, 2.5, "short", True, None, 2**63), (2, 3.5, "text", False, None, -5)]
    assert plain.fit_rows(rows, 255) is rows
    assert plain.fit_rows([], 255) == []


@pytest.mark.parametrize("value", ["x" * 256, b"bytes", math.nan, math.inf, -math.inf])
def test_one_value_that_is_not_plain_is_found_among_many(value):
    rows = [(n, 1, "a") for n in range(100)] + [(100, value, "b")] + [(101, 2.0, "c")]
    fit = plain.fit_rows(rows, 255)
    assert fit is not rows
    assert fit[100][1][KIND] in ("str", "bytes", "float")
    assert fit[:100] == rows[:100]


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (math.nan, {"$": "float", "v": "nan"}),
        (-math.inf, {"$": "float", "v": "-inf"}),
        (b"a\xff\n", {"$": "bytes", "v": "a\\xff\\n", "len": 3}),
        ("x" * 30, {"$": "str", "v": "x" * 20, "len": 30}),
        ("a\udc80", {"$": "str", "v": "a\\udc80", "len": 2}),
        ("é" * 20, "é" * 20),
        (2**64 - 1, 2**64 - 1),
        (2**64, {"$": "int", "v": str(2**64)}),
        (-(2**63) - 1, {"$": "int", "v": str(-(2**63) - 1)}),
        (10**30, {"$": "int", "v": str(10**30)[:20], "len": 31}),
        (Odd(), {"$": "not-captured", "reason": "not a value", "type": "Odd"}),
        ((1, [b"x"]), [1, [{"$": "bytes", "v": "x", "len": 1}]]),
        ({"k\udc80": 1, 2: 3}, {"k\\udc80": 1, "2": 3}),
    ],
)
def test_each_kind_has_its_form(value, form):
    assert plain.plain(value, 20) == form


def test_an_int_that_python_refuses_to_write_out_is_not_captured(monkeypatch):
    import sys

    form = {"$": "not-captured", "reason": "size", "type": "int"}
    assert plain.plain(10**5000) == form
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        assert plain.plain(10**1000) == form
    finally:
        sys.set_int_max_str_digits(limit)


def test_a_structure_without_end_is_cut():
    endless: list = []
    endless.append(endless)
    encode_both_ways(plain.plain(endless))


def test_rows_of_different_lengths_are_gone_through_one_by_one():
    assert plain.fit_rows([(1, b"a"), (2,)], 255) == [(1, {"$": "bytes", "v": "a", "len": 1}), (2,)]


def test_finite_floats_whose_sum_is_not_are_left_as_they_are():
    rows = [(1, 1e308), (2, 1e308), (3, 1e308)]
    assert plain.fit_rows(rows, 255) == rows


def test_ints_too_large_for_a_float_beside_floats_do_not_raise():
    rows = [(1, 10**400), (2, 1.5)]
    assert plain.fit_rows(rows, 20)[0][1][KIND] == "int"
