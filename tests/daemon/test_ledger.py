from __future__ import annotations

from treetap.daemon.ledger import Ledger

HERE = (1, 7)


def test_rows_that_follow_each_other_leave_no_gap():
    ledger = Ledger()
    assert [ledger.gap(HERE, first, 10) for first in (0, 10, 20)] == [0, 0, 0]


def test_a_gap_is_counted_exactly():
    ledger = Ledger()
    ledger.gap(HERE, 0, 10)
    assert ledger.gap(HERE, 17, 3) == 7
    assert ledger.gap(HERE, 20, 1) == 0


def test_what_was_lost_before_the_first_batch_counts():
    assert Ledger().gap(HERE, 5, 1) == 5


def test_probes_and_nodes_are_counted_apart():
    ledger = Ledger()
    ledger.gap(HERE, 0, 10)
    assert ledger.gap((1, 8), 0, 1) == 0
    assert ledger.gap((2, 7), 0, 1) == 0


def test_a_count_that_begins_anew_is_followed():
    ledger = Ledger()
    ledger.gap(HERE, 0, 10)
    assert ledger.gap(HERE, 0, 2) == 0
    assert ledger.gap(HERE, 2, 2) == 0
    assert ledger.gap(HERE, 1, 1) == 1


def test_after_sleep_a_node_counts_from_0():
    ledger = Ledger()
    ledger.restore(1, {})
    ledger.gap(HERE, 0, 10)
    ledger.begin_anew(1)
    assert ledger.knows(1)
    assert ledger.gap(HERE, 30, 1) == 30


def test_what_an_earlier_daemon_knew_is_gone_on_from():
    ledger = Ledger()
    assert not ledger.knows(1)
    ledger.restore(1, {7: 100})
    assert ledger.gap(HERE, 103, 1) == 3
    ledger.forget(1)
    assert not ledger.knows(1)
