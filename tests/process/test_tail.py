from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from treetap.process.tail import HeadAndTail


def kept(chunks: list[bytes], head: int = 16384, tail: int = 16384) -> bytes:
    it = HeadAndTail(head, tail)
    for chunk in chunks:
        it.add(chunk)
    return bytes(it)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=20)), st.integers(0, 15), st.integers(0, 15))
def test_the_beginning_and_the_end_are_there_with_a_count_between(
    chunks: list[bytes], head: int, tail: int
):
    whole = b"".join(chunks)
    left_out = len(whole) - head - tail
    if left_out <= 0:
        assert kept(chunks, head, tail) == whole
    else:
        marker = f"\n[... {left_out} bytes are left out here ...]\n".encode()
        assert kept(chunks, head, tail) == whole[:head] + marker + whole[len(whole) - tail :]


def test_what_is_short_is_whole():
    assert kept([b"a" * 16384, b"b" * 16384]) == b"a" * 16384 + b"b" * 16384


def test_memory_is_bounded_whatever_the_chunks():
    it = HeadAndTail(10, 10)
    for _ in range(1000):
        it.add(b"abc")
    assert len(it._head) + len(it._tail) <= 33
    assert it.left_out_bytes == 2980
