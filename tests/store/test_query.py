from __future__ import annotations

import pytest
from sqlalchemy.event import listen

from tests.store.filled import NODE, NOON, OTHER, SECOND
from treetap.store import EventFilter, LossRow, query
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


@pytest.mark.parametrize("is_ascending", [False, True])
@pytest.mark.parametrize(
    "wanted", [{"probes": (1, 2)}, {"tree": "11-5"}, {"probes": (2, 1, 2), "pid": 12}]
)
def test_several_probes_and_nodes_come_in_the_order_of_their_ids(opened, wanted, is_ascending):
    for number in range(9):
        opened.put(
            [[1]] * 3, probe=1 + number % 3, node=(NODE, OTHER)[number % 2], first_number=number
        )
    opened.flush()
    filtered = EventFilter(**wanted)
    everything = opened.events(EventFilter(), limit=1000, is_ascending=is_ascending).events
    probes, pids = wanted.get("probes", (1, 2, 3)), {wanted.get("pid", 11), 12}
    expected = [
        event["id"] for event in everything if event["probe"] in probes and event["pid"] in pids
    ]
    found, cursor = [], None
    while len(found) < len(expected):
        page = opened.events(filtered, limit=4, cursor=cursor, is_ascending=is_ascending)
        found += [event["id"] for event in page.events]
        cursor = page.next_cursor
    assert found == expected
    assert opened.count(filtered) == len(expected)
    skipped = opened.events(filtered, limit=4, skip=3, is_ascending=is_ascending)
    assert [event["id"] for event in skipped.events] == expected[3:7]


def test_a_page_of_several_probes_is_read_by_an_index_and_nothing_is_sorted(opened):
    """A name that is used again makes two of one; of a million rows each page would be a second."""
    said = []
    with opened._engine.connect() as connection:
        listen(opened._engine, "before_cursor_execute", lambda *args: said.append(args[2:4]))
        query.events_page(connection, EventFilter(probes=(1, 2)), limit=5)
        ((sql, values),) = (each for each in said if "UNION" in each[0])
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all()
    branches = [row[3] for row in plan if "event_by_probe" in row[3]]
    assert len(branches) == 2
    assert all("probe=?" in branch for branch in branches)
