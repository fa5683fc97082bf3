"""From an adapter's hits to a link's batches."""

from __future__ import annotations

from treetap.daemon.target_rows import Rows
from treetap.dap import Hit
from treetap.wire.message import batch_from_wire


def hit(number: int, *values, **fields) -> Hit:
    return Hit("p1", number, 1000 + number, values, **fields)


def test_hits_in_a_row_are_one_batch_and_are_taken_once():
    rows = Rows("p1", takes_snapshot=False)
    rows.add(hit(0, "a", 1))
    rows.add(hit(1, "b", 2))
    (message,) = rows.take()
    assert batch_from_wire(message.content) == ("p1", 0, [[1000, "a", 1], [1001, "b", 2]])
    assert message.size_bytes == len('[[1000,"a",1],[1001,"b",2]]')
    assert rows.take() == []
    rows.add(hit(2, "c", 3))
    assert [message.content[2] for message in rows.take()] == [2]


def test_a_gap_in_the_numbers_begins_another_batch_so_that_the_loss_is_seen():
    rows = Rows("p1", takes_snapshot=False)
    for number in (0, 1, 5, 6, 0):
        rows.add(hit(number, "x"))
    assert [(m.content[2], len(m.content[3])) for m in rows.take()] == [(0, 2), (5, 2), (0, 1)]


def test_a_row_has_its_snapshot_last_also_where_the_adapter_had_none():
    rows = Rows("p1", takes_snapshot=True)
    form = {"$": "snapshot", "locals": [["a", 1]], "stack": []}
    rows.add(hit(0, 7, snapshot=form))
    rows.add(hit(1, 8))
    (message,) = rows.take()
    assert message.content[3] == [
        [1000, 7, form],
        [1001, 8, {"$": "not-captured", "reason": "error"}],
    ]


def test_a_value_that_no_encoder_takes_costs_nothing_but_its_size():
    rows = Rows("p1", takes_snapshot=False)
    rows.add(hit(0, "\ud800"))
    (message,) = rows.take()
    assert message.size_bytes > 0
