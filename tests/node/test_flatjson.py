from __future__ import annotations

import json

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


def test_a_lone_surrogate_does_not_stop_it():
    assert json.loads(flatjson.dumps({"a": "\udc80"})) == {"a": "\udc80"}
