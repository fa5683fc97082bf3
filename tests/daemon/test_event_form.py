from __future__ import annotations

from tests.running_daemon import identity
from treetap.daemon import event_form
from treetap.daemon.record import numbered
from treetap.daemon.request import probe_asked
from treetap.store import EventBatch

RECORD = numbered(
    probe_asked({"location": "a.py:1", "expressions": ["a"], "snapshot": True, "name": "orders"}), 7
)
ROW = {
    "id": 5,
    "probe": 7,
    "node": 1,
    "number": 3,
    "time_ns": 1000,
    "lost": 0,
    "captured": '[1,{"$":"x"}]',
    "node_id": "4242-7",
    "pid": 4242,
    "name": "shop",
    "tree": "4242-7",
    "definition": '{"location":"a.py:1","expressions":["a"],"snapshot":true,"name":"orders"}',
}


def test_an_event_is_the_same_live_and_from_the_store():
    batch = EventBatch(5, 7, 1, 3, [[1000, 1, {"$": "x"}]], 10)
    assert event_form.hits(batch, RECORD, identity()) == [event_form.StoredEvents().event(ROW)]


def test_a_loss_has_a_count_and_no_values():
    event = event_form.StoredEvents().event({**ROW, "lost": 9, "captured": '"node"'})
    assert (event["kind"], event["lost"], event["where"]) == ("loss", 9, "node")
    assert "values" not in event


def test_what_lost_its_probe_or_its_node_is_shown_all_the_same():
    gone = dict.fromkeys(("node_id", "pid", "name", "tree", "definition"))
    event = event_form.StoredEvents().event({**ROW, **gone})
    assert event["values"] == {"0": 1, "1": {"$": "x"}}
    assert (event["node"], event["pid"], event["probe"]) == ("", 0, "p7")
