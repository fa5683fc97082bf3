from __future__ import annotations

import pytest

from tests.store.filled import NOON, SECOND
from treetap.store import journal
from treetap.store.journal import JournalEntry, JournalFilter


@pytest.fixture
def table(opened):
    for entry in (
        JournalEntry("probe-added", NOON, probe=1, details={"name": "orders"}),
        JournalEntry("node-lost", NOON + SECOND, node=7, actor="x" * 300),
        JournalEntry("probe-removed", NOON + 2 * SECOND, probe=1),
    ):
        opened.journal.write(entry).result(20)
    return opened.journal


def kinds(entries):
    return [each.kind for each in entries]


def test_the_newest_entry_comes_first_and_is_what_was_written(table):
    entries = table.entries()
    assert kinds(entries) == ["probe-removed", "node-lost", "probe-added"]
    assert entries[2]._replace(id=0) == JournalEntry(
        "probe-added", NOON, probe=1, details={"name": "orders"}
    )
    assert entries[1].actor == "x" * 255
    assert kinds(table.entries(limit=1)) == ["probe-removed"]


def test_filters_are_combined(table):
    assert kinds(table.entries(JournalFilter(since_ns=NOON + SECOND))) == [
        "probe-removed",
        "node-lost",
    ]
    assert kinds(table.entries(JournalFilter(kinds=("node-lost", "probe-added")))) == [
        "node-lost",
        "probe-added",
    ]
    assert kinds(table.entries(JournalFilter(node=7, kinds=("probe-added",)))) == []


def test_an_acknowledged_entry_is_not_open_any_more(table):
    lost = table.entries(JournalFilter(node=7))[0]
    assert table.acknowledge([lost.id, 999]).result(20) == 1
    assert kinds(table.entries(JournalFilter(is_open=True))) == ["probe-removed", "probe-added"]
    assert table.entries(JournalFilter(node=7))[0].is_acknowledged


def test_a_sweep_takes_what_is_old_and_what_is_too_much(opened, table, monkeypatch):
    now_ns = journal.time.time_ns()
    for number in range(3):
        table.write(JournalEntry("node-connected", now_ns, details={"n": number})).result(20)
    monkeypatch.setattr(journal, "MAX_ENTRIES", 2)
    opened.sweep().result(20)
    assert [each.details["n"] for each in table.entries()] == [2, 1]
