from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treetap.mcp.bounds import bounded

TEXTS = st.text(max_size=60)
ANSWERS = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | TEXTS,
        lambda inner: st.lists(inner, max_size=8) | st.dictionaries(TEXTS, inner, max_size=5),
        max_leaves=60,
    ),
    max_size=6,
)


def test_what_is_small_stays_as_it_is():
    answer = {"values": [1, "a", None], "name": "é"}
    assert json.loads(bounded(answer)) == answer


def test_a_list_that_is_too_long_loses_its_end_and_it_is_said_how_much():
    content = json.loads(bounded({"values": list(range(100_000)), "total": 3}, 10_000))
    assert content["total"] == 3
    assert content["values"] == list(range(len(content["values"])))
    assert content["left_out"]["values"] == 100_000 - len(content["values"])
    assert len(content["values"]) > 1000


def test_long_texts_are_cut_before_lists_are():
    content = json.loads(bounded({"values": ["x" * 50_000, "y"]}, 10_000))
    assert content["values"][1] == "y"
    assert content["values"][0].startswith("xxx")
    assert "48000 characters more" in content["values"][0]


def test_a_list_deep_inside_is_cut_where_it_is():
    threads = [{"name": f"t{i}", "frames": ["f shop.py:1"] * 20} for i in range(200)]
    content = json.loads(bounded({"processes": [{"pid": 7, "dump": {"threads": threads}}]}, 10_000))
    (process,) = content["processes"]
    kept = process["dump"]["threads"]
    assert process["pid"] == 7
    assert kept == threads[: len(kept)]
    assert content["left_out"] == {"processes[0].dump.threads": 200 - len(kept)}


def test_the_answer_itself_stays_as_it_is():
    answer = {"values": list(range(10_000))}
    bounded(answer, 1000)
    assert answer == {"values": list(range(10_000))}


def test_one_large_thing_is_shown_as_far_as_it_fits():
    answer = {"one": {str(i): i for i in range(50_000)}}
    text = bounded(answer, 10_000)
    assert len(text.encode()) <= 10_000
    content = json.loads(text)
    assert content["cut_off"].startswith('{"one":{"0":0')
    assert content["left_out"]["characters"] > 0


@settings(max_examples=25, deadline=None)
@given(ANSWERS, st.integers(min_value=200, max_value=3000))
def test_whatever_the_answer_it_is_json_within_the_limit(answer, max_bytes):
    text = bounded(answer, max_bytes)
    assert len(text.encode()) <= max_bytes
    assert isinstance(json.loads(text), dict)


@pytest.mark.parametrize("character", ["\x00", '"', "\\", "é", "\U0001f333"])
def test_the_limit_is_of_bytes_whatever_the_characters(character):
    text = bounded({"one": {"two": [character * 1000] * 500}}, 5_000)
    assert len(text.encode()) <= 5_000
