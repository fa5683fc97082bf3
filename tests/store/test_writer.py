from __future__ import annotations

import sqlite3
import threading

import pytest

from tests.conftest import wait_until
from tests.store.filled import NODE, NOON, Opened
from treetap.store import EventBatch
from treetap.store.schema import node_key
from treetap.store.writer import MAX_QUEUED_BYTES, MAX_QUEUED_ROWS


def batch_of(store: Opened, rows: list, *, size_bytes: int = 10) -> EventBatch:
    return EventBatch(store.new_ids(len(rows)), 1, node_key(NODE), 0, rows, size_bytes)


@pytest.fixture
def held(opened):
    """A store whose writer is busy until the event is set."""
    go_on = threading.Event()
    begun = threading.Event()

    def hold(_connection) -> None:
        begun.set()
        go_on.wait(20)

    opened._writer.call(hold)
    begun.wait(10)
    yield opened, go_on
    go_on.set()


def test_a_full_queue_takes_nothing_more_and_says_so(held):
    store, go_on = held
    rows = [[NOON, 1]] * 1000
    taken = 0
    while store.submit(batch_of(store, rows)):
        taken += 1
        assert taken <= MAX_QUEUED_ROWS
    assert taken == MAX_QUEUED_ROWS // 1000
    go_on.set()
    store.flush(30)
    assert store.sql("SELECT count(*) FROM event") == [(taken * 1000,)]
    assert store.submit(batch_of(store, rows))


def test_a_few_large_rows_fill_the_queue_too(held):
    store, _go_on = held
    large = MAX_QUEUED_BYTES // 4
    assert all(store.submit(batch_of(store, [[NOON, "x"]], size_bytes=large)) for _ in range(4))
    assert not store.submit(batch_of(store, [[NOON, "x"]], size_bytes=1))


def test_a_call_that_fails_is_its_caller_s_affair(opened):
    with pytest.raises(ZeroDivisionError):
        opened._writer.call(lambda connection: 1 / 0).result(10)
    opened.put([[1]])
    assert opened.found() == [0]


def test_one_batch_that_can_t_be_written_doesn_t_take_others_with_it(tmp_path):
    lost = []
    store = Opened(tmp_path, on_loss=lambda batches, reason: lost.append((batches, reason)))
    store.put([[1]])
    bad = batch_of(store, [[NOON, object()]])
    assert store.submit(bad)
    store.put([[2]], first_number=1)
    assert store.found() == [0, 1]
    ((batches, reason),) = lost
    assert batches == [bad]
    assert "object" in reason
    store.close()


def test_an_id_that_is_taken_already_loses_that_batch_only(tmp_path):
    lost = []
    store = Opened(tmp_path, on_loss=lambda batches, reason: lost.extend(batches))
    first_id = store.put([[1], [2]])
    assert store.submit(EventBatch(first_id, 1, node_key(NODE), 7, [[NOON, 3]], 10))
    store.put([[4]], first_number=2)
    assert store.found() == [0, 1, 2]
    assert [batch.first_number for batch in lost] == [7]
    store.close()


def test_a_locked_database_is_waited_for(opened):
    locker = sqlite3.connect(opened.path, isolation_level=None, check_same_thread=False)
    locker.execute("BEGIN IMMEDIATE")
    opened.put([[1]])
    release = threading.Timer(0.3, lambda: locker.execute("COMMIT"))
    release.start()
    assert opened.found() == [0]
    release.join()
    locker.close()


def test_the_queue_s_length_is_told(held):
    store, go_on = held
    store.put([[1]] * 30)
    assert store.numbers()["queued_rows"] == 30
    go_on.set()
    wait_until(lambda: store.numbers()["queued_rows"] == 0)


def test_closing_waits_for_a_limited_time_and_tells_what_is_left(held):
    store, go_on = held
    store.put([[1]] * 30)
    assert store._writer.close(timeout_s=0.05) == 30
    go_on.set()


def test_rows_of_a_transaction_that_does_not_end_are_told_as_left(opened, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def write_slowly(_pending) -> None:
        begun.set()
        go_on.wait(20)

    monkeypatch.setattr(opened._writer, "_write", write_slowly)
    opened.put([[1]] * 30)
    begun.wait(20)
    assert opened._writer.close(timeout_s=0.05) == 30
    go_on.set()


def test_a_closed_writer_refuses(opened):
    writer = opened._writer
    assert writer.close() == 0
    assert not writer.submit(EventBatch(1, 1, 1, 0, [[NOON, 1]], 1))
    with pytest.raises(RuntimeError):
        writer.call(lambda connection: None).result(10)
