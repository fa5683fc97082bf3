from __future__ import annotations

import socket

import pytest

from treetap.errors import LinkError
from treetap.link.connection import LinkConnection
from treetap.model.status import Batch
from treetap.node import outbox as outbox_module
from treetap.node.outbox import MAX_MESSAGE_BYTES, Outbox
from treetap.wire import codec, frame


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    connection = LinkConnection(ours)
    yield connection, theirs
    connection.close()
    theirs.close()


def messages(content: bytes) -> list:
    found = []
    while content:
        size = frame.payload_bytes(content[:4])
        found.append(codec.decode(content[4 : 4 + size]))
        content = content[4 + size :]
    return found


def drained(outbox, connection, peer) -> list:
    content = b""
    while outbox:
        outbox.push(connection)
        while True:
            try:
                content += peer.recv(1 << 20, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
    return messages(content)


def test_messages_and_batches_go_out_in_order(pair):
    outbox = Outbox()
    outbox.add({"type": "status"})
    outbox.add_batch(Batch("p1", 5, [(1, "a"), (2, b"b")]), 255)
    assert outbox
    assert drained(outbox, *pair) == [
        {"type": "status"},
        ["batch", "p1", 5, [[1, "a"], [2, {"$": "bytes", "v": "b", "len": 1}]]],
    ]
    assert outbox.pending_bytes == 0
    assert not outbox


def test_a_bad_value_never_loses_its_batch(pair):
    class Odd:
        pass

    outbox = Outbox()
    outbox.add_batch(Batch("p1", 0, [(1, 1), (2, Odd()), (3, "\ud800"), (4, 2**70)]), 255)
    ((_batch, _id, _number, rows),) = drained(outbox, *pair)
    assert [row[0] for row in rows] == [1, 2, 3, 4]
    assert rows[0] == [1, 1]


def test_a_large_batch_is_cut_and_its_numbers_go_on(pair):
    rows = [(n, "x" * 1000) for n in range(3 * MAX_MESSAGE_BYTES // 1000)]
    outbox = Outbox()
    outbox.add_batch(Batch("p1", 100, rows), 2000)
    sent = drained(outbox, *pair)
    assert len(sent) > 2
    assert [number + i for _b, _p, number, part in sent for i in range(len(part))] == list(
        range(100, 100 + len(rows))
    )
    assert [row[0] for _b, _p, _n, part in sent for row in part] == [n for n, _x in rows]


def test_a_row_that_no_message_could_hold_is_told_of(pair):
    outbox = Outbox()
    outbox.add_batch(Batch("p1", 0, [(7, "x" * (MAX_MESSAGE_BYTES + 1))]), 10**9)
    ((_batch, _id, _number, rows),) = drained(outbox, *pair)
    assert rows == [[7, {"$": "not-captured", "reason": "size"}]]


def test_a_frame_that_was_cut_by_a_broken_link_is_sent_again_whole():
    ours, theirs = socket.socketpair()
    connection = LinkConnection(ours)
    outbox = Outbox()
    outbox.add({"type": "status", "text": "x" * 2_000_000})
    assert 0 < outbox.push(connection) < 2_000_000
    theirs.close()
    with pytest.raises(LinkError):
        outbox.push(connection)
    connection.close()
    outbox.start_over()
    ours, theirs = socket.socketpair()
    connection = LinkConnection(ours)
    (message,) = drained(outbox, connection, theirs)
    assert len(message["text"]) == 2_000_000
    connection.close()
    theirs.close()


def test_a_full_outbox_says_so():
    outbox = Outbox()
    while not outbox.is_full:
        outbox.add("x" * 10_000)
    assert outbox.pending_bytes < outbox_module.FULL_BYTES + 20_000
