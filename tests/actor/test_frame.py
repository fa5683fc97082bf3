from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treetap.actor.frame import CHUNK_BYTES, LARGE_BYTES, Inbox, Outbox
from treetap.actor.message import HEADER
from treetap.errors import LinkError, PayloadError

Frame = tuple[int, int, bytes]

numbers = st.integers(0, 0xFFFF_FFFF)
#: Or the size of one, so that nobody has to print a large one.
bodies = st.one_of(st.binary(max_size=40), st.sampled_from([LARGE_BYTES - 1, LARGE_BYTES, 600_000]))
frames = st.tuples(st.integers(0, 255), numbers, bodies)


def put_in(inbox: Inbox, stream: bytes, at_once: int = 1 << 30) -> list[Frame]:
    """Feed ``stream`` as a kernel does: into the room, never more than there is."""
    found: list[Frame] = []
    rest = memoryview(stream)
    while rest:
        room = inbox.room()
        assert len(room) > 0
        count = min(len(room), len(rest), at_once)
        room[:count] = rest[:count]
        inbox.received(count)
        rest = rest[count:]
        found += inbox.frames()
    return found


def taken_out(outbox: Outbox, at_once: int) -> bytes:
    """What leaves, if the kernel takes ``at_once`` bytes each time."""
    found = bytearray()
    while outbox.size_bytes:
        taken = b"".join(outbox.pieces())[:at_once]
        assert taken
        found += taken
        outbox.sent(len(taken))
    assert outbox.pieces() == []
    return bytes(found)


@settings(deadline=None, max_examples=60)
@given(st.lists(frames, max_size=6), st.integers(20_000, 900_000), st.integers(9, 900_000))
def test_frames_arrive_as_they_were_put_however_they_are_cut(drawn, out_at_once, in_at_once):
    sent = [
        (kind, number, bytes(body) if isinstance(body, int) else body)
        for kind, number, body in drawn
    ]
    outbox = Outbox()
    for frame in sent:
        outbox.put(*frame)
    stream = taken_out(outbox, out_at_once)
    inbox = Inbox()
    assert put_in(inbox, stream, in_at_once) == sent
    assert not inbox.torn


@given(st.lists(st.tuples(st.integers(0, 255), numbers, st.binary(max_size=9)), max_size=5))
def test_frames_arrive_byte_by_byte(sent):
    outbox = Outbox()
    for frame in sent:
        outbox.put(*frame)
    assert put_in(Inbox(), taken_out(outbox, 1), 1) == sent


def test_what_is_put_while_something_waits_comes_after_it():
    outbox = Outbox()
    outbox.put(1, 1, b"a" * LARGE_BYTES)
    outbox.sent(5)
    outbox.put(2, 2, b"b")
    outbox.put(3, 3, b"c" * LARGE_BYTES)
    outbox.sent(5)
    outbox.put(4, 4, b"")
    stream = HEADER.pack(LARGE_BYTES + 5, 1, 1)[:10]
    rest = taken_out(outbox, 3000)
    found = put_in(Inbox(), (stream + b"a")[:10] + rest)
    assert [kind for kind, _, _ in found] == [1, 2, 3, 4]


@pytest.mark.parametrize("length", [0, 4, 65_541 - 4, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_a_length_that_no_frame_has_is_refused_before_its_bytes_come(length: int):
    inbox = Inbox(max_frame_bytes=65_530)
    with pytest.raises(LinkError, match="announced a frame of"):
        put_in(inbox, length.to_bytes(4, "big") + bytes(5))


def test_the_largest_frame_passes_and_a_larger_one_is_refused_by_its_sender():
    outbox = Outbox(max_frame_bytes=1_000_000)
    outbox.put(1, 1, bytes(1_000_000))
    before = outbox.size_bytes
    with pytest.raises(PayloadError, match="1000001 bytes is too large") as caught:
        outbox.put(1, 2, bytes(1_000_001))
    assert caught.value.slug == "payload-size"
    assert outbox.size_bytes == before
    (frame,) = put_in(Inbox(max_frame_bytes=1_000_000), taken_out(outbox, 1 << 30))
    assert frame == (1, 1, bytes(1_000_000))


def test_memory_is_given_out_as_the_bytes_come_and_not_as_they_are_announced():
    inbox = Inbox()
    tracemalloc.start()
    try:
        put_in(inbox, HEADER.pack(60_000_000, 1, 1) + bytes(1000))
        inbox.room()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * CHUNK_BYTES
    assert inbox.torn


def test_the_room_for_a_large_frame_is_given_back():
    inbox = Inbox()
    put_in(inbox, HEADER.pack(10_000_005, 1, 1) + bytes(10_000_000))
    assert len(inbox.room()) == CHUNK_BYTES


def test_a_cleared_outbox_has_nothing():
    outbox = Outbox()
    outbox.put(1, 1, bytes(LARGE_BYTES))
    outbox.put(1, 1, b"x")
    outbox.clear()
    assert outbox.pieces() == []
    assert outbox.size_bytes == 0
