from __future__ import annotations

import datetime as dt

import pytest

from tests.conftest import wait_until
from tests.running_daemon import identity

NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
NOON_NS = int(NOON.timestamp()) * 10**9


@pytest.fixture
def filled(running):
    add = running.client.add_probe
    add(location="a.py:1", expressions=["order.total", "user"], name="orders")
    add(location="b.py:1", expressions=["user", "order.total"])
    links = [running.connect(identity(11, tree="t")), running.connect(identity(12, tree="t"))]
    rows = [[NOON_NS + i * 10**9, i - 3, f"user {i}"] for i in range(6)]
    links[0].send(["batch", "p1", 0, rows])
    wait_until(lambda: running.daemon.ingest.rows == 6)
    links[1].send(["batch", "p2", 10, [[NOON_NS + 10**12, "root", -3]]])
    wait_until(lambda: running.daemon.ingest.rows == 7)
    running.flush()
    yield running
    for link in links:
        link.close()


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"probe": "p1"}, range(6)),
        ({"probe": "orders"}, range(6)),
        ({"node": "12-7"}, [0, 10]),
        ({"tree": "t", "pid": 11}, range(6)),
        ({"tree": "none"}, []),
        ({"probe": "p1", "since": NOON_NS + 4 * 10**9}, [4, 5]),
        ({"probe": "p1", "since": "2026-01-31T12:00:05+00:00"}, [5]),
        ({"probe": "p1", "until": int(NOON.timestamp()) + 1}, [0]),
        ({"probe": "p1", "until": f"{int(NOON.timestamp())}.5"}, [0]),
        ({"where": "order.total<0"}, [0, 1, 2, 10]),
        ({"where": "order.total<0", "probe": "p2"}, [10]),
        ({"where": "user == 'user 4'"}, [4]),
        ({"where": "user~oo"}, [10]),
        ({"where": "order.total>=2", "pid": 11}, [5]),
    ],
)
def test_a_filter_finds_what_it_says(filled, query, numbers):
    found = filled.client.events(order="asc", **query)["events"]
    assert [event["number"] for event in found] == list(numbers)


def test_all_pages_together_are_all_events(filled):
    for order in ("asc", "desc"):
        ids = [event["id"] for event in filled.client.all_events(limit=3, order=order)]
        assert len(ids) == 8
        assert ids == sorted(ids, reverse=order == "desc")


def test_an_unknown_value_of_where_names_the_expressions_of_the_probe(filled):
    from treetap.errors import DaemonError

    with pytest.raises(DaemonError) as caught:
        filled.client.events(where="total<0", probe="p1")
    assert "order.total, user" in caught.value.hint


def test_events_of_a_removed_probe_are_found_with_their_expressions(filled):
    filled.client.remove_probe("orders")
    found = filled.client.events(probe="orders", where="order.total==2")["events"]
    assert [event["values"] for event in found] == [{"order.total": 2, "user": "user 5"}]
