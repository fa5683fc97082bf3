"""The services together, on real links."""

from __future__ import annotations

import os

import pytest

from tests.conftest import wait_until
from tests.running_daemon import identity, running_daemon, status
from treetap.daemon import standing
from treetap.daemon.tree import process_start_ns
from treetap.model.probe import Probe
from treetap.wire.message import probe_from_dict


def message_of(link, kind: str) -> dict:
    """The next message of this kind."""
    while True:
        message = link.receive(60)
        assert message is not None, f"no {kind} came"
        if message["type"] == kind:
            return message


def probes_of(message) -> list[Probe]:
    return [probe_from_dict(fields) for fields in message["probes"]]


def events(running, **filters) -> list[dict]:
    running.flush()
    return running.client.events(order="asc", limit=1000, **filters)["events"]


@pytest.fixture
def probe(running):
    return running.client.add_probe(location="shop.py:3", expressions=["a", "b"], name="orders")


@pytest.fixture
def link(running, probe):
    link = running.connect(identity())
    yield link
    link.close()


def test_a_node_is_welcomed_with_the_probes_that_are_for_it(running):
    add = running.client.add_probe
    add(location="shop.py:1", expressions=["a"])
    add(location="shop.py:2", expressions=["a"], target={"name": "shop"})
    add(location="shop.py:3", expressions=["a"], target={"name": "cart"})
    add(location="shop.py:4", expressions=["a"], target={"pid": 4242})
    add(location="shop.py:5", expressions=["a"], target={"tree": "1-1"})
    add(location="shop.py:6", expressions=["a"], is_enabled=False)
    link = running.connect(identity())
    assert [each.location.line for each in probes_of(link.welcome)] == [1, 2, 4]
    link.close()


def test_every_change_reaches_the_connected_nodes(running, probe, link):
    client = running.client
    added = client.add_probe(location="b.py:1", expressions=["c"])
    assert [each.id for each in probes_of(message_of(link, "probes"))] == ["p1", "p2"]
    client.change_probe("orders", condition="a > 1")
    assert probes_of(message_of(link, "probes"))[0].condition == "a > 1"
    client.disable_probe("orders")
    assert [each.id for each in probes_of(message_of(link, "probes"))] == [added["id"]]
    client.remove_probe(added["id"])
    message = message_of(link, "probes")
    assert message["probes"] == []
    assert message["revision"] == running.daemon.registry.revision


def test_a_probe_whose_time_is_over_is_taken_from_the_nodes(running, link):
    running.client.change_probe("orders", ttl_s=2)
    assert len(message_of(link, "probes")["probes"]) == 1
    assert message_of(link, "probes")["probes"] == []
    shown = running.client.probe("orders")
    assert (shown["is_expired"], shown["is_enabled"]) == (True, True)


def test_rows_become_events(running, link):
    link.send(
        ["batch", "p1", 0, [[1000, 1, "x"], [1001, None, {"$": "list", "items": [1], "len": 1}]]]
    )
    wait_until(lambda: running.daemon.ingest.rows == 2)
    first, second = events(running)
    assert first == {
        "kind": "hit",
        "id": first["id"],
        "probe": "p1",
        "probe_name": "orders",
        "location": "shop.py:3",
        "node": "4242-7",
        "pid": 4242,
        "name": "shop",
        "tree": "4242-7",
        "number": 0,
        "time_ns": 1000,
        "values": {"a": 1, "b": "x"},
    }
    assert second["values"]["b"] == {"$": "list", "items": [1], "len": 1}


def test_the_live_feed_shows_the_same_events_as_the_store(running, link):
    stream = running.client.stream()
    live = []
    listener = running.call(running.daemon.feed.listen)
    link.send(["batch", "p1", 0, [[1000, 1, "x"], [1001, 2, "y"]]])
    link.send(["batch", "p1", 9, [[1002, 3, "z"]]])
    wait_until(lambda: running.daemon.ingest.rows == 3)

    async def take():
        return await listener.next(60)

    import asyncio

    live = asyncio.run_coroutine_threadsafe(take(), running.loop).result(60)
    assert [e["kind"] for e in live] == ["hit", "hit", "loss", "hit"]
    assert live == events(running)
    running.call(listener.close)
    stream.close()


def test_a_gap_becomes_a_loss_with_its_exact_count(running, link):
    link.send(["batch", "p1", 3, [[1, 1, 1]]])
    link.send(["batch", "p1", 10, [[2, 1, 1]]])
    wait_until(lambda: running.daemon.ingest.rows == 2)
    assert [(e["kind"], e["number"], e.get("lost")) for e in events(running)] == [
        ("loss", 0, 3),
        ("hit", 3, None),
        ("loss", 4, 6),
        ("hit", 10, None),
    ]
    assert running.client.probe("orders")["lost"] == 9
    assert running.client.status()["lost_rows"] == 9


def test_a_gap_is_seen_across_a_reconnect(running, link):
    link.send(["batch", "p1", 0, [[1, 1, 1]] * 5])
    wait_until(lambda: running.daemon.ingest.rows == 5)
    link.close()
    again = running.connect(identity())
    again.send(["batch", "p1", 8, [[2, 1, 1]]])
    wait_until(lambda: running.daemon.ingest.rows == 6)
    assert [e["lost"] for e in events(running) if e["kind"] == "loss"] == [3]
    again.close()


def test_a_gap_is_seen_across_a_restart_of_the_daemon(home):
    with running_daemon(home) as running:
        running.client.add_probe(location="shop.py:3", expressions=["a"])
        link = running.connect(identity())
        link.send(["batch", "p1", 0, [[1, 1]] * 5])
        wait_until(lambda: running.daemon.ingest.rows == 5)
        link.close()
    with running_daemon(home) as running:
        link = running.connect(identity())
        assert len(link.welcome["probes"]) == 1
        link.send(["batch", "p1", 105, [[1, 1]]])
        wait_until(lambda: running.daemon.ingest.rows == 1)
        assert [e["lost"] for e in events(running) if e["kind"] == "loss"] == [100]
        link.close()


def test_a_node_that_slept_counts_from_0_again_and_nothing_is_lost(running, link):
    link.send(["batch", "p1", 0, [[1, 1, 1]] * 5])
    link.send({"type": "bye", "reason": "sleep"})
    wait_until(lambda: running.client.nodes()[0]["state"] == "gone")
    again = running.connect(identity())
    again.send(["batch", "p1", 0, [[1, 1, 1]] * 9])
    wait_until(lambda: running.daemon.ingest.rows == 14)
    assert running.client.status()["lost_rows"] == 0
    again.close()


def test_rows_of_a_removed_probe_that_were_on_their_way_are_kept(running, link):
    running.client.remove_probe("orders")
    link.send(["batch", "p1", 0, [[1, 1, 1]]])
    wait_until(lambda: running.daemon.ingest.rows == 1)
    assert [e["probe_name"] for e in events(running, probe="orders")] == ["orders"]


def test_rows_that_nobody_can_place_are_counted(running, link):
    link.send(["batch", "p77", 0, [[1, 1]] * 3])
    link.send(["batch", "p1", 0, [[1, 1, 2, 3]] * 2])
    wait_until(lambda: running.daemon.ingest.unplaced_rows == 5)
    assert running.client.status()["unplaced_rows"] == 5
    assert events(running) == []


def test_what_a_full_store_can_t_take_is_a_loss_with_its_count(running, link):
    import threading

    go_on = threading.Event()
    running.daemon.store._writer.call(lambda connection: go_on.wait(150))
    sent = 0
    for _ in range(200):
        link.send(["batch", "p1", sent, [[1, 1, 1]] * 1000])
        sent += 1000
    wait_until(lambda: running.daemon.ingest.rows == sent, 100)
    go_on.set()
    running.daemon.store.flush(100)
    running.flush()
    link.send(["batch", "p1", sent, [[1, 1, 1]]])
    wait_until(lambda: running.daemon.ingest.rows == sent + 1)
    running.flush()
    lost = running.client.status()["lost_rows"]
    kept = running.daemon.store.numbers()["written_rows"]
    assert lost > 0
    losses = [e for e in running.client.all_events(limit=10_000) if e["kind"] == "loss"]
    assert sum(e["lost"] for e in losses) == lost
    assert {e["where"] for e in losses} == {"store"}
    assert kept - len(losses) + lost == sent + 1
    # What was dropped and told is not told again by the next daemon.
    assert running.daemon.store.progress(running.daemon.roster.all()[0].key) == {1: sent + 1}


def test_what_the_store_gives_up_on_is_a_loss(running, link):
    link.send(["batch", "p1", 0, [[1, 1, 1]]])
    wait_until(lambda: running.daemon.ingest.rows == 1)
    running.flush()
    taken = running.daemon.store._next_id
    # A foreign hand has taken the id that comes next.
    with running.daemon.store._engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO event VALUES (?, 1, 1, 0, 1, 0, '[]')", (taken,))
    link.send(["batch", "p1", 1, [[1, 1, 1]] * 4])
    wait_until(lambda: running.daemon.ingest.rows == 5)
    wait_until(lambda: running.client.status()["lost_rows"] == 4)
    losses = [e for e in events(running) if e["kind"] == "loss"]
    assert [(e["lost"], e["where"], e["number"]) for e in losses] == [(4, "store", 1)]


def test_a_status_shows_in_the_probe_and_in_the_node(running, link):
    told = status("p1", hits=10, recorded=7, skipped={"condition": 3}, lost=1)
    link.send({"type": "status", "revision": 1, "probes": [told]})
    wait_until(lambda: running.client.probe("orders")["hits"] == 10)
    shown = running.client.probe("orders")
    assert (shown["recorded"], shown["lost"]) == (7, 0)
    assert shown["nodes"] == [
        {"node": "4242-7", "pid": 4242, "name": "shop", "tree": "4242-7", **told}
    ]
    assert running.client.nodes()[0]["probes"] == [told]


def test_a_node_that_is_gone_is_shown_for_a_while(running, link):
    told = status("p1", hits=10)
    link.send({"type": "status", "revision": 1, "probes": [told]})
    link.send({"type": "bye", "reason": "exit"})
    wait_until(lambda: running.client.nodes()[0]["state"] == "gone")
    (node,) = running.client.nodes()
    assert (node["reason"], node["probes"]) == ("exit", [])
    assert running.client.probe("orders")["hits"] == 10
    probe = running.client.probe("orders")
    assert probe["nodes"] == []
    assert probe["last_node"] == {
        "node": "4242-7", "pid": 4242, "name": "shop", "tree": "4242-7", **told
    }  # fmt: skip


def test_the_feed_tells_of_probes_and_nodes(running):
    listener = running.call(running.daemon.feed.listen)
    running.client.add_probe(location="shop.py:3", expressions=["a"])
    link = running.connect(identity())
    link.send({"type": "status", "revision": 1, "probes": [status("p1")]})
    link.send({"type": "bye", "reason": "exit"})
    wait_until(lambda: len(listener._waiting) == 4)
    told = [each.events[0] for each in listener._waiting]
    assert [(each["kind"], each["change"]) for each in told] == [
        ("probe", "added"),
        ("node", "awake"),
        ("probe", "status"),
        ("node", "gone"),
    ]
    assert told[2]["probe"]["nodes"][0]["state"] == "armed"
    running.call(listener.close)
    link.close()


# -- trees and the standing file ---------------------------------------------------------------


def own_tree() -> str:
    return f"{os.getpid()}-{process_start_ns(os.getpid()):x}"


def standing_of(running) -> dict:
    return standing.read(running.daemon._standing_path)


def test_the_standing_file_has_what_a_starting_child_needs(running, probe):
    running.client.set_tree(own_tree(), awake=True)
    content = standing_of(running)
    assert content["awake_trees"] == [own_tree()]
    assert content["url"] == running.url
    assert content["link"] == running.daemon.link.endpoint
    assert [each.name for each in probes_of(content)] == ["orders"]
    running.client.disable_probe("orders")
    later = standing_of(running)
    assert later["probes"] == []
    assert later["revision"] > content["revision"]


def test_an_awake_tree_outlives_the_daemon_and_not_its_root(home):
    with running_daemon(home) as running:
        running.client.set_tree(own_tree(), awake=True)
        running.client.set_tree("1-1", awake=True)
        wait_until(lambda: standing_of(running)["awake_trees"] == [own_tree()])
    with running_daemon(home) as running:
        assert standing_of(running)["awake_trees"] == [own_tree()]
        assert running.client.trees() == [
            {"id": own_tree(), "root_pid": os.getpid(), "awake": True, "nodes": 0}
        ]


def test_a_tree_put_to_sleep_sends_its_nodes_to_sleep_and_no_others(running):
    mine, other = running.connect(identity(1, tree="1-1")), running.connect(identity(2))
    running.client.set_tree("1-1", awake=False)
    assert message_of(mine, "sleep")
    assert other.receive(0.05) is None
    assert {(each["id"], each["nodes"]) for each in running.client.trees()} == {
        ("1-1", 1),
        ("2-7", 1),
    }
    mine.close()
    other.close()
