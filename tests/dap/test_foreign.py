from __future__ import annotations

from typing import Any

import pytest

from treetap.dap import foreign


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        (" -7 ", -7),
        (str(2**63), {"$": "int", "v": str(2**63)}),
        ("1.5e+06", 1_500_000.0),
        ("NaN", {"$": "float", "v": "nan"}),
        ("-Inf", {"$": "float", "v": "-inf"}),
        ("+Inf", {"$": "float", "v": "inf"}),
        ("true", True),
        ("nil", None),
        ("'x'", "x"),
        ("'\\n'", "\n"),
        ("0x00007ffe", {"$": "text", "type": "T", "v": "0x00007ffe"}),
        ("main.Order {ID: 1}", {"$": "text", "type": "T", "v": "main.Order {ID: 1}"}),
        ("1,5", {"$": "text", "type": "T", "v": "1,5"}),
    ],
)
def test_a_plain_value_is_one_and_the_rest_stays_text(text: str, value: Any):
    assert foreign.plain(text, "T") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"a|b"', "a|b"),
        (r'"q\"\\\n\t\x41\u00e9\U0001f642\101"', 'q"\\\n\tAé🙂A'),
        (r'"\xc3\xa9"', "é"),
        ('0x0000564c "text"', "text"),
        ('"é日本"', "é日本"),
    ],
)
def test_a_string_is_what_its_literal_stands_for(text: str, value: str):
    found = foreign.quoted(text)
    assert found == foreign.Text(value.encode(), 0)
    assert foreign.string_form(found, 100) == value


@pytest.mark.parametrize("text", ["", '"', 'a "b"', '"a" "b"', '"a\\"', "12"])
def test_what_is_no_string_literal_is_none(text: str):
    assert foreign.quoted(text) is None


def test_a_string_that_was_cut_says_so():
    by_lldb = foreign.quoted('"abc"...')
    assert by_lldb == foreign.Text(b"abc", -1)
    assert foreign.string_form(by_lldb, 100) == {"$": "str", "v": "abc", "len": 4}
    by_delve = foreign.quoted('"abc...+12 more"')
    assert by_delve is not None
    assert foreign.cut_by_delve(by_delve) == foreign.Text(b"abc", 12)
    whole = foreign.Text(b"abcdef", 0)
    assert foreign.cut_by_delve(whole) is None
    assert foreign.string_form(whole, 2) == {"$": "str", "v": "ab", "len": 6}
