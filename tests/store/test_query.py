from __future__ import annotations

import pytest

from tests.store.filled import NODE, NOON, OTHER, SECOND
from treetap.store import EventFilter, LossRow
from treetap.store.schema import node_key


@pytest.fixture
def filled(opened):
    opened.put([[i] for i in range(10)])
    opened.put([[i] for i in range(5)], probe=2, node=OTHER, first_number=100)
    opened.flush()
    return opened


def pages(store, *, limit: int, is_ascending: bool) -> list[list[int]]:
    found, cursor = [], None
    while True:
        page = store.events(EventFilter(), limit=limit, cursor=cursor, is_ascending=is_ascending)
        if not page.events:
            return found
        found.append([event["number"] for event in page.events])
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"probes": (1,)}, range(10)),
        ({"probes": (2, 3)}, range(100, 105)),
        ({"probes": ()}, []),
        ({"node": NODE.id}, range(10)),
        ({"node": "nobody"}, []),
        ({"pid": 12}, range(100, 105)),
        ({"tree": "11-5"}, [*range(10), *range(100, 105)]),
        ({"tree": "11-5", "pid": 11}, range(10)),
        ({"since_ns": NOON + 8 * SECOND}, [8, 9]),
        ({"until_ns": NOON + SECOND}, [0, 100]),
        ({"since_ns": NOON + SECOND, "until_ns": NOON + 3 * SECOND, "probes": (1,)}, [1, 2]),
    ],
)
def test_a_filter_finds_what_it_says(filled, wanted, numbers):
    assert filled.found(**wanted) == list(numbers)


def test_pages_follow_each_other_newest_first(filled):
    assert pages(filled, limit=4, is_ascending=False) == [
        [104, 103, 102, 101],
        [100, 9, 8, 7],
        [6, 5, 4, 3],
        [2, 1, 0],
    ]


def test_pages_follow_each_other_oldest_first(filled):
    assert pages(filled, limit=7, is_ascending=True) == [
        [0, 1, 2, 3, 4, 5, 6],
        [7, 8, 9, 100, 101, 102, 103],
        [104],
    ]


def test_a_page_that_ends_exactly_has_no_next_one(filled):
    assert len(pages(filled, limit=5, is_ascending=False)) == 3


def test_what_is_written_meanwhile_neither_shifts_a_page_nor_shows_twice(filled):
    first = filled.events(EventFilter(), limit=5)
    filled.put([[1]] * 3, first_number=10)
    filled.flush()
    second = filled.events(EventFilter(), limit=5, cursor=first.next_cursor)
    assert [event["number"] for event in second.events] == [9, 8, 7, 6, 5]


def test_an_ascending_cursor_goes_on_to_what_comes_later(filled):
    page = filled.events(EventFilter(), limit=100, is_ascending=True)
    assert len(page.events) == 15
    nothing = filled.events(EventFilter(), limit=100, cursor=page.next_cursor, is_ascending=True)
    assert nothing.events == []
    assert nothing.next_cursor == page.next_cursor
    filled.put([[1]], first_number=77)
    filled.flush()
    later = filled.events(EventFilter(), limit=100, cursor=nothing.next_cursor, is_ascending=True)
    assert [event["number"] for event in later.events] == [77]


def test_a_page_by_its_number_and_how_many_there_are(filled):
    page = filled.events(EventFilter(probes=(1,)), limit=3, skip=4)
    assert [event["number"] for event in page.events] == [5, 4, 3]
    assert filled.count(EventFilter(probes=(1,))) == 10
    assert filled.count(EventFilter(since_ns=NOON + 8 * SECOND)) == 2
    assert filled.last_hits_ns((1, 2, 3)) == {1: NOON + 9 * SECOND, 2: NOON + 4 * SECOND}


def test_losses_are_left_out_if_only_hits_are_asked_for(filled):
    loss = LossRow(filled.new_ids(1), 1, node_key(NODE), 10, NOON + 60 * SECOND, 5, "node", 15)
    filled.submit_loss(loss)
    assert filled.found(probes=(1,))[-1] == 10
    assert filled.found(probes=(1,), only_hits=True)[-1] == 9
    assert filled.count(EventFilter(probes=(1,), only_hits=True)) == 10
    assert filled.last_hits_ns((1,)) == {1: NOON + 9 * SECOND}
