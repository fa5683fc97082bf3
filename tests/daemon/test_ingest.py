from __future__ import annotations

import asyncio

import pytest

from tests.running_daemon import identity
from treetap.daemon.feed import Feed
from treetap.daemon.ingest import Ingest
from treetap.daemon.record import numbered
from treetap.daemon.request import probe_asked
from treetap.daemon.roster import NodeEntry
from treetap.daemon.tally import Tally

RECORD = numbered(probe_asked({"location": "a.py:1", "expressions": ["a"]}), 1)


class Store:
    """A store that takes as many batches as it is told to."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.room = room
        self.batches: list = []
        self.losses: list = []
        self._next_id = 1

    def new_ids(self, count: int) -> int:
        self._next_id += count
        return self._next_id - count

    def submit(self, batch) -> bool:
        if self.room <= 0:
            return False
        self.room -= 1
        self.batches.append(batch)
        return True

    def submit_loss(self, loss) -> None:
        self.losses.append(loss)


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def ingest(store):
    records = {"p1": RECORD}
    return Ingest(store, Feed(), Tally(), records.get)


@pytest.fixture
def entry():
    return NodeEntry(identity(), link=None)


def take(ingest, entry, first_number: int, count: int = 1, probe: str = "p1") -> None:
    ingest.batch(entry, ["batch", probe, first_number, [[1, 5]] * count], 100)


def test_rows_are_handed_on_as_they_came(ingest, store, entry):
    take(ingest, entry, 0, 3)
    (batch,) = store.batches
    assert (batch.probe, batch.node, batch.first_number, batch.size_bytes) == (1, entry.key, 0, 100)
    assert batch.rows == [[1, 5]] * 3


def test_a_full_store_makes_one_loss_of_many_batches(ingest, store, entry):
    take(ingest, entry, 0)
    store.room = 0
    for first in range(1, 101, 10):
        take(ingest, entry, first, 10)
    assert store.losses == []
    store.room = 10
    take(ingest, entry, 101)
    (loss,) = store.losses
    assert (loss.first_number, loss.lost, loss.where, loss.next_number) == (1, 100, "store", 102)
    assert ingest.lost_rows == 100
    take(ingest, entry, 102)
    assert len(store.losses) == 1


def test_a_loss_is_told_without_another_batch_too(ingest, store, entry):
    store.room = 0
    take(ingest, entry, 0, 7)
    ingest.tell_dropped()
    ingest.tell_dropped()
    assert [loss.lost for loss in store.losses] == [7]


def test_a_gap_while_the_store_is_full_is_counted_apart(ingest, store, entry):
    store.room = 0
    take(ingest, entry, 0, 5)
    take(ingest, entry, 8, 2)
    ingest.tell_dropped()
    assert sorted((loss.where, loss.lost) for loss in store.losses) == [("node", 3), ("store", 7)]


def test_what_a_gone_node_lost_is_counted(ingest, store, entry):
    take(ingest, entry, 0, 4)
    ingest.unwritten(store.batches, lambda key: None)
    assert ingest.lost_rows == 4


def test_an_empty_batch_can_tell_of_a_gap(ingest, store, entry):
    take(ingest, entry, 0, 2)
    take(ingest, entry, 9, 0)
    assert [(loss.first_number, loss.lost) for loss in store.losses] == [(2, 7)]
    assert len(store.batches) == 1


def test_nobody_listening_costs_no_event(ingest, store, entry):
    async def scenario() -> None:
        feed = ingest._feed
        take(ingest, entry, 0)
        listener = feed.listen()
        take(ingest, entry, 1, 2)
        events = await listener.next(1)
        assert [event["number"] for event in events] == [1, 2]

    asyncio.run(scenario())
