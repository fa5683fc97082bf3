from __future__ import annotations

import os
import socket

import pytest

from treetap.actor.control import ControlInbox, ControlOutbox, encode


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


def received(inbox: ControlInbox) -> list:
    found = []
    while True:
        try:
            messages = inbox.receive()
        except BlockingIOError:
            return found
        assert messages is not None
        found += messages


def test_messages_and_their_descriptors_arrive_in_order(ends):
    outbox, inbox = ControlOutbox(ends[0]), ControlInbox(ends[1])
    readers = []
    for number in range(3):
        reader, writer = os.pipe()
        readers.append(reader)
        outbox.put({"op": "spawn", "n": number}, [writer])
        outbox.put({"op": "between"})
    outbox.flush()
    assert not outbox
    messages = received(inbox)
    assert [fields.get("n") for fields, _ in messages] == [0, None, 1, None, 2, None]
    for number, (fields, descriptors) in enumerate(messages[::2]):
        (writer,) = descriptors
        assert not os.get_inheritable(writer)
        os.write(writer, b"x")
        os.close(writer)
        # Ours was closed as it was sent: theirs was the last.
        assert os.read(readers[number], 10) == b"x"
        assert os.read(readers[number], 10) == b""
        os.close(readers[number])


def test_a_message_that_is_larger_than_the_socket_takes_goes_piece_by_piece(ends):
    outbox, inbox = ControlOutbox(ends[0]), ControlInbox(ends[1])
    reader, writer = os.pipe()
    outbox.put({"op": "spawn", "env": {"X": "y" * 1_500_000}}, [writer])
    outbox.put({"op": "after"})
    messages = []
    while len(messages) < 2:
        outbox.flush()
        messages += received(inbox)
    assert len(messages[0][0]["env"]["X"]) == 1_500_000
    assert len(messages[0][1]) == 1
    os.close(messages[0][1][0])
    os.close(reader)


def test_what_an_environment_can_hold_survives(ends):
    outbox, inbox = ControlOutbox(ends[0]), ControlInbox(ends[1])
    fields = {"op": "spawn", "env": {"A": "\udcff\n\0ü€\U0001f332"}}
    outbox.put(fields)
    outbox.flush()
    assert received(inbox) == [(fields, [])]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xff\xff\xff",
        b"\0\0\0\x02[]",
        b"\0\0\0\x03\xff\xfe\xfd",
        encode({"op": "spawn", "fds": 1}),
        encode({"op": "spawn", "fds": -1}),
        encode({"op": "spawn", "fds": "many"}),
    ],
)
def test_nonsense_is_the_end_of_it(ends, garbage: bytes):
    inbox = ControlInbox(ends[1])
    ends[0].sendall(garbage)
    assert inbox.receive() is None


def test_descriptors_that_nobody_takes_are_closed(ends):
    reader, writer = os.pipe()
    inbox = ControlInbox(ends[1])
    socket.send_fds(ends[0], [encode({"op": "none"})], [writer])
    os.close(writer)
    received(inbox)
    inbox.close()
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_what_waits_to_be_sent_is_closed_with_it(ends):
    reader, writer = os.pipe()
    outbox = ControlOutbox(ends[0])
    outbox.put({"op": "spawn"}, [writer])
    outbox.close()
    assert os.read(reader, 1) == b""
    os.close(reader)
