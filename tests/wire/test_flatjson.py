from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treetap.wire import flatjson

FLAT = st.dictionaries(
    st.text(),
    st.none() | st.booleans() | st.integers() | st.text() | st.dictionaries(st.text(), st.text()),
)


@given(FLAT)
def test_what_is_written_is_what_json_reads(fields):
    written = flatjson.dumps(fields)
    assert json.loads(written) == fields
    assert written.isascii()


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_what_json_writes_is_read(value):
    assert flatjson.loads(json.dumps(value, separators=(",", ":"))) == value


@pytest.mark.parametrize("text", ["", "{", "[1", "nope", "[1]x", "[" * 200_000])
def test_what_is_no_json_is_an_error(text):
    with pytest.raises(ValueError):
        flatjson.loads(text)


def test_a_lone_surrogate_does_not_stop_it():
    assert json.loads(flatjson.dumps({"a": "\udc80"})) == {"a": "\udc80"}


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(PLAIN)
def test_all_plain_data_is_written_as_json_writes_it(value):
    assert flatjson.dumps_all(value) == json.dumps(value, separators=(",", ":"))


@given(PLAIN)
def test_what_json_writes_with_blanks_is_read(value):
    assert flatjson.loads(json.dumps(value, indent=1)) == value


@pytest.mark.parametrize("value", [object(), {1, 2}, b"a", float("nan"), [float("inf")], {(1,): 2}])
def test_what_is_no_plain_data_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        flatjson.dumps_all(value)


def test_a_circle_is_refused():
    circle = []
    circle.append(circle)
    with pytest.raises(ValueError):
        flatjson.dumps_all(circle)
