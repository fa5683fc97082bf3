from __future__ import annotations

import json

import pytest

from treetap.mcp.plain import plain, snapshot


def form(kind, **keys):
    return {"$": kind, **keys}


@pytest.mark.parametrize(
    ("captured", "expected"),
    [
        (None, None),
        (True, True),
        (2.5, 2.5),
        ("text", "text"),
        (form("list", items=[1, "a"], len=2), [1, "a"]),
        (form("list", items=[1], len=9), {"items": [1], "len": 9}),
        (form("tuple", items=[1], len=1), {"items": [1], "type": "tuple"}),
        (form("list", items=[], len=0, type="shop.Cart"), {"items": [], "type": "shop.Cart"}),
        (form("dict", items=[["a", 1]], len=1), {"a": 1}),
        (form("dict", items=[["a", 1]], len=2), {"items": {"a": 1}, "len": 2}),
        (form("dict", items=[[1, 2]], len=1), {"items": [[1, 2]]}),
        (
            form("object", type="shop.Order", fields=[["total", 3]], len=1),
            {"type": "shop.Order", "fields": {"total": 3}},
        ),
        (
            form("object", type="shop.Order", fields=[["total", 3]], len=7),
            {"type": "shop.Order", "fields": {"total": 3}, "len": 7},
        ),
        (form("int", v="9" * 30), {"type": "int", "text": "9" * 30}),
        (form("float", v="nan"), {"type": "float", "text": "nan"}),
        (form("str", v="abc", len=9), {"text": "abc", "len": 9}),
        (form("bytes", v="abc", len=3), {"type": "bytes", "text": "abc", "len": 3}),
        (form("text", type="Path", v="/srv"), {"type": "Path", "text": "/srv"}),
        (form("error", type="KeyError", text="'x'"), {"error": "KeyError: 'x'"}),
        (form("error", type="KeyError", text=""), {"error": "KeyError"}),
        (form("not-captured", reason="redacted"), {"not_captured": "redacted"}),
        (form("not-captured", reason="depth", type="A"), {"not_captured": "depth", "type": "A"}),
        (form("of a later version"), {"text": "<of a later version>"}),
    ],
)
def test_each_kind_is_json_where_json_has_a_word_and_else_says_what_it_is(captured, expected):
    assert plain(captured) == expected
    json.dumps(plain(captured))


SNAPSHOT = form(
    "snapshot",
    locals=[["a", 1], ["b", form("list", items=[2], len=1)]],
    stack=[["f", "a.py", 3], ["g", "a.py", 9], ["<module>", "a.py", 20]],
)


def test_a_snapshot_has_its_frames_innermost_first_and_its_locals_by_name():
    assert plain(SNAPSHOT) == {
        "stack": ["f a.py:3", "g a.py:9", "<module> a.py:20"],
        "locals": {"a": 1, "b": [2]},
    }


@pytest.mark.parametrize(
    ("frames", "shown"),
    [
        ((1, 0), ["f a.py:3"]),
        ((0, 1), ["<module> a.py:20"]),
        ((1, 1), ["f a.py:3", "<module> a.py:20"]),
        ((5, 5), ["f a.py:3", "g a.py:9", "<module> a.py:20"]),
        ((0, 0), []),
    ],
)
def test_of_a_stack_the_first_and_last_frames_are_shown(frames, shown):
    assert snapshot(SNAPSHOT, stack_slice=frames, shows_locals=False) == {"stack": shown}
