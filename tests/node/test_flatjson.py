from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treetap.node import flatjson

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
