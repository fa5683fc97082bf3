from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treetap.process.lines import MAX_PROMPT_BYTES, MIN_LINE_BYTES, Block, LineSplitter


def split(*chunks: bytes, max_line_bytes: int = 1 << 20) -> list[tuple[str, str]]:
    """``(kind, text)`` of every piece."""
    splitter = LineSplitter(max_line_bytes)
    blocks = [block for chunk in chunks for block in splitter.feed(chunk)]
    return pieces([*blocks, *splitter.finish()])


def pieces(blocks: list[Block]) -> list[tuple[str, str]]:
    return [(block.kind, text) for block in blocks for text in block.texts]


def texts(*chunks: bytes, **options: int) -> list[str]:
    return [text for _, text in split(*chunks, **options)]


def expected(stream: bytes) -> list[str]:
    """What a whole stream's texts are, said without a splitter."""
    *lines, last = re.sub(rb"\r+\n", b"\n", stream).split(b"\n")
    found = []
    for number, line in enumerate([*lines, last]):
        *updates, end = line.split(b"\r")
        found += [update for update in updates if update]
        if number < len(lines) or end:
            found.append(end)
    return [text.decode("utf-8", "replace") for text in found]


def in_chunks(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(stream) + 1) for cut in cuts})
    return [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]


#: Few characters, so that the odd meetings are common: ends of lines, halves of characters.
STREAMS = st.lists(
    st.sampled_from(
        [b"a", b"bc", b"\n", b"\r", b"\r\n", "é".encode(), "😀".encode(), b"\xff", b"\xe2"]
    ),
    max_size=40,
).map(b"".join)
CUTS = st.lists(st.integers(0, 200), max_size=8)


@settings(deadline=None)
@given(STREAMS, CUTS)
def test_what_comes_out_does_not_depend_on_how_the_stream_is_cut(stream: bytes, cuts: list[int]):
    assert texts(*in_chunks(stream, cuts)) == expected(stream)


@settings(deadline=None)
@given(STREAMS.filter(lambda stream: b"\r" not in stream), CUTS)
def test_nothing_is_lost_of_lines_and_nothing_added(stream: bytes, cuts: list[int]):
    said = texts(*in_chunks(stream, cuts))
    assert "\n".join(said) == stream.removesuffix(b"\n").decode("utf-8", "replace") or not stream


@settings(deadline=None)
@given(st.text(alphabet="aé😀\n", max_size=600), CUTS)
def test_pieces_of_a_line_that_is_too_long_make_it_up_again(text: str, cuts: list[int]):
    found = split(*in_chunks(text.encode(), cuts), max_line_bytes=MIN_LINE_BYTES)
    whole = "".join(piece + ("" if kind == "cut" else "\n") for kind, piece in found)
    assert whole.removesuffix("\n") == text.removesuffix("\n")
    assert all(len(piece.encode()) <= MIN_LINE_BYTES for _, piece in found)
    assert all(piece for kind, piece in found if kind in ("cut", "rest"))


@settings(deadline=None)
@given(STREAMS, CUTS)
def test_quiet_moments_change_where_lines_end_and_nothing_else(stream: bytes, cuts: list[int]):
    splitter = LineSplitter()
    blocks = []
    for chunk in in_chunks(stream, cuts):
        blocks += splitter.feed(chunk)
        blocks += splitter.quiet()
    blocks += splitter.finish()
    said = "".join(text for _, text in pieces(blocks))
    assert said == "".join(expected(stream))


def test_lines_end_as_on_all_systems():
    assert split(b"one\ntwo\r\n\nthree") == [
        ("line", "one"),
        ("line", "two"),
        ("line", ""),
        ("line", "three"),
    ]


def test_a_progress_bar_comes_as_updates():
    assert split(b"10%\r20%\r30%\rdone\n") == [
        ("update", "10%"),
        ("update", "20%"),
        ("update", "30%"),
        ("line", "done"),
    ]


def test_a_progress_bar_that_begins_with_its_return_has_no_empty_update():
    assert split(b"\r10%\r20%\n") == [("update", "10%"), ("line", "20%")]


def test_a_newline_in_two_reads_is_one():
    assert texts(b"one\r", b"\ntwo") == ["one", "two"]


def test_a_character_in_two_reads_is_one():
    assert texts("é".encode()[:1], "é".encode()[1:] + b"\n") == ["é"]


def test_a_prompt_is_given_when_all_is_quiet_and_its_answer_is_a_line_of_its_own():
    splitter = LineSplitter()
    assert splitter.feed(b"Password: ") == []
    assert splitter.may_be_prompt
    assert pieces(splitter.quiet()) == [("prompt", "Password: ")]
    assert not splitter.may_be_prompt
    assert pieces(splitter.feed(b"wrong\n")) == [("line", "wrong")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\r\n"])
def test_the_newline_after_a_prompt_is_no_empty_line(end: bytes):
    splitter = LineSplitter()
    splitter.feed(b"Password: ")
    splitter.quiet()
    assert splitter.feed(end) == []
    assert pieces(splitter.feed(b"\n")) == [("line", "")]


def test_half_a_character_is_no_part_of_a_prompt():
    splitter = LineSplitter()
    splitter.feed("name? é".encode()[:-1])
    assert pieces(splitter.quiet()) == [("prompt", "name? ")]
    assert not splitter.may_be_prompt  # nobody need wait for a quiet moment
    assert splitter.quiet() == []
    assert pieces(splitter.feed("é\n".encode()[1:])) == [("line", "é")]


def test_what_is_too_long_for_a_prompt_waits_for_its_end():
    splitter = LineSplitter()
    splitter.feed(b"x" * (MAX_PROMPT_BYTES + 1))
    assert not splitter.may_be_prompt
    assert splitter.quiet() == []


def test_a_line_that_is_exactly_as_long_as_it_may_be_is_one():
    assert split(b"x" * 64 + b"\n", max_line_bytes=64) == [("line", "x" * 64)]


def test_a_longer_line_is_cut_and_its_end_is_its_rest():
    assert split(b"x" * 130 + b"\nnext\n", max_line_bytes=64) == [
        ("cut", "x" * 64),
        ("cut", "x" * 64),
        ("rest", "xx"),
        ("line", "next"),
    ]


def test_a_long_line_without_an_end_costs_as_much_a_byte_as_a_short_one():
    def seconds(megabytes: int) -> float:
        splitter = LineSplitter()
        chunk = b"x" * 65536
        began = time.thread_time()
        for _ in range(16 * megabytes):
            splitter.feed(chunk)
        return time.thread_time() - began

    seconds(4)
    # Quadratic would be 16 ×; the limit leaves room for a busy machine.
    assert min(seconds(64) for _ in range(3)) < 8 * 4 * max(min(seconds(4) for _ in range(3)), 1e-3)


def test_a_flood_of_returns_is_linear_too():
    began = time.thread_time()
    splitter = LineSplitter()
    for _ in range(20):
        splitter.feed(b"\r" * 65536)
    splitter.feed(b"\r" * 65536 + b"\n")
    assert time.thread_time() - began < 2
