"""The same store on PostgreSQL: a real one, started for these tests where it is installed."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import create_engine

from tests.store.filled import NODE, NOON
from tests.store.postgresql import program, serving
from tests.store.test_where import CASES, VALUES
from treetap.store import EventBatch, EventFilter, Store, schema
from treetap.store.journal import JournalEntry, JournalFilter
from treetap.store.retention import Retention
from treetap.store.schema import node_key
from treetap.store.where import parse_where

#: An empty database's; without it the tests start a server of their own.
GIVEN = os.environ.get("TREETAP_TEST_POSTGRESQL", "")

pytestmark = pytest.mark.skipif(
    not (GIVEN or program("initdb")),
    reason="no PostgreSQL: it is not installed, and TREETAP_TEST_POSTGRESQL names none",
)


@pytest.fixture(scope="module")
def url():
    if GIVEN:
        yield GIVEN
        return
    with serving() as own:
        yield own


@pytest.fixture
def store(url):
    store = Store(url, retention=Retention(max_age_s=0, max_bytes=2_000_000))
    yield store
    store.close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
        schema.metadata.drop_all(connection)
    engine.dispose()


def put(store: Store, values: list, *, first_number: int = 0) -> None:
    first_id = store.new_ids(len(values))
    rows = [[NOON + i, *row] for i, row in enumerate(values)]
    assert store.submit(EventBatch(first_id, 1, node_key(NODE), first_number, rows, 10))


def test_a_url_that_names_no_driver_is_enough(store, url):
    put(store, [[1]])
    store.flush()
    again = Store(url.replace("+psycopg", ""))
    assert again.numbers()["events"] == 1
    again.close()


def test_rows_come_back_with_their_node_and_probe(store):
    store.save_node(NODE, connected_at_s=1.0).result(10)
    store.save_node(NODE, connected_at_s=2.0).result(10)
    definition = {"expressions": ["x"]}
    assert store.add_probe("orders", lambda _number: definition).result(10) == 1
    put(store, [[1], ["tab\0"]])
    store.flush()
    events = store.events(EventFilter(tree="11-5", pid=11), limit=2).events
    assert [event["captured"] for event in events] == ['["tab\\u0000"]', "[1]"]
    assert events[0]["name"] == "shop"
    assert store.progress(node_key(NODE)) == {1: 2}


def test_values_compare_as_in_sqlite(store):
    put(store, VALUES)
    store.flush()
    for where, numbers in CASES:
        wanted = EventFilter(comparisons=parse_where(where, [(1, ("x",))]))
        events = store.events(wanted, is_ascending=True).events
        assert [event["number"] for event in events] == numbers, where


def test_too_much_is_brought_below_its_limit(store):
    for i in range(8):
        put(store, [["x" * 100]] * 3000, first_number=i * 3000)
    store.flush()
    while store.sweep().result(30):
        pass
    numbers = store.numbers()
    assert numbers["size_bytes"] <= 2_000_000
    with store._engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT count(*) FROM event").scalar_one()
    assert numbers["events"] == kept > 2000


def test_the_journal_is_kept_queried_and_swept_there_too(store):
    for number in range(3):
        store.journal.write(JournalEntry("node-lost", NOON + number, node=number)).result(10)
    newest, *_ = found = store.journal.entries()
    assert [each.node for each in found] == [2, 1, 0]
    assert store.journal.acknowledge([newest.id]).result(10) == 1
    open_ones = store.journal.entries(JournalFilter(is_open=True, kinds=("node-lost",)))
    assert [each.node for each in open_ones] == [1, 0]
    store.sweep().result(30)
    # They are of long ago.
    assert store.journal.entries() == []
