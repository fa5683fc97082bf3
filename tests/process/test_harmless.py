from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treetap.process.harmless import make_all_harmless, make_harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext, é 😀", "plain\ttext, é 😀"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\rb\nc", r"a\rb\nc"),
        ("\x00\x07\x7f", r"\x00\x07\x7f"),
        ("\x9b31m", r"\x9b31m"),
        ("one\u2028two", r"one\u2028two"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
    ],
)
def test_a_harmful_character_is_shown_as_python_would_write_it(text: str, shown: str):
    assert make_harmless(text) == shown
    assert make_all_harmless(["ok", text]) == ["ok", shown]


@settings(deadline=None)
@given(st.lists(st.text()))
def test_no_line_is_forged_and_nothing_else_changes(texts: list[str]):
    shown = make_all_harmless(texts)
    assert shown == [make_harmless(text) for text in texts]
    assert all(len(text.splitlines()) <= 1 for text in shown)
    assert all(
        text == before for text, before in zip(shown, texts, strict=True) if before.isprintable()
    )


def test_harmless_lines_are_not_even_copied():
    texts = ["one", "two"]
    assert make_all_harmless(texts) is texts
