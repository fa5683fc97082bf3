from __future__ import annotations

import stat

from tests.store.filled import NODE, NOON, OTHER, SECOND, Opened
from treetap.model.captured import not_captured
from treetap.store import EventBatch, EventFilter, LossRow
from treetap.store.schema import node_key
from treetap.store.store import _ID_BLOCK


def test_what_was_put_in_comes_out_with_its_node_and_its_probe(opened):
    opened.save_probe(1, name="orders", definition={"expressions": ["a", "b"]}).result(10)
    first_id = opened.put([[1, "x"], [2.5, None]])
    opened.flush()
    page = opened.events(EventFilter())
    assert [event["captured"] for event in page.events] == ["[2.5,null]", '[1,"x"]']
    newest = page.events[0]
    assert newest["id"] == first_id + 1
    assert newest["number"] == 1
    assert newest["time_ns"] == NOON + SECOND
    assert (newest["node_id"], newest["pid"], newest["name"]) == ("11-5", 11, "shop")
    assert newest["definition"] == '{"expressions":["a","b"]}'


def test_forms_are_kept_as_they_are(opened):
    form = not_captured("depth", "shop.Order")
    opened.put([[form, [1, [2]], "tab\t\0 \N{SNOWMAN}"]])
    opened.flush()
    assert opened.events(EventFilter()).events[0]["captured"] == (
        '[{"$":"not-captured","reason":"depth","type":"shop.Order"},[1,[2]],"tab\\t\\u0000 ☃"]'
    )


def test_a_loss_is_an_event_among_the_others(opened):
    opened.put([[1]])
    loss = LossRow(opened.new_ids(1), 1, node_key(NODE), 1, NOON, 41, "node", 42)
    opened.submit_loss(loss)
    opened.put([[2]], first_number=42)
    opened.flush()
    events = opened.events(EventFilter(), is_ascending=True).events
    assert [(event["number"], event["lost"]) for event in events] == [(0, 0), (1, 41), (42, 0)]


def test_progress_says_how_far_each_probe_has_come_after_a_restart(opened, tmp_path):
    opened.put([[1], [2], [3]])
    opened.put([[1]], probe=2, first_number=10)
    opened.submit_loss(LossRow(opened.new_ids(1), 3, node_key(NODE), 5, NOON, 4, "node", 9))
    opened.put([[1]], node=OTHER)
    opened.close()
    again = Opened(tmp_path)
    assert again.progress(node_key(NODE)) == {1: 3, 2: 11, 3: 9}
    assert again.progress(node_key(OTHER)) == {1: 1}
    again.close()


def test_ids_grow_across_restarts_and_a_clean_end_wastes_none(opened, tmp_path):
    last = opened.put([[1]] * 5) + 4
    opened.close()
    again = Opened(tmp_path)
    assert again.new_ids(1) == last + 1
    again.close()


def test_a_store_that_was_killed_leaves_a_gap_in_the_ids_and_never_uses_one_twice(tmp_path):
    killed = Opened(tmp_path)
    last = killed.put([[1]])
    killed.flush()
    other = Opened(tmp_path)
    assert other.new_ids(1) > last
    assert other.put([[2]]) > last
    other.close()
    killed.close()


def test_ids_go_on_beyond_the_first_block(opened):
    taken = 0
    previous = 0
    while taken < 3 * _ID_BLOCK:
        first = opened.new_ids(_ID_BLOCK // 10)
        opened.flush()
        if first is None:
            continue
        assert first > previous
        previous = first + _ID_BLOCK // 10 - 1
        taken += _ID_BLOCK // 10


def test_a_node_seen_again_is_one_row(opened):
    opened.save_node(NODE, connected_at_s=2.0).result(10)
    assert opened.sql("SELECT count(*), max(connected_at_s) FROM node WHERE pid = 11") == [(1, 2)]


def test_removed_probes_are_kept_for_their_events(opened):
    opened.save_probe(1, name="a", definition={"x": 1}).result(10)
    opened.save_probe(1, name="a", definition={"x": 2}, is_removed=True).result(10)
    opened.save_probe(2, name="b", definition={}).result(10)
    assert opened.probes() == [(2, {}, False)]
    assert opened.probes(with_removed=True) == [(1, {"x": 2}, True), (2, {}, False)]


def test_probe_numbers_are_never_used_again(opened, tmp_path):
    assert [opened.add_probe("", lambda number: {"x": number}).result(10) for _ in range(3)] == [
        1,
        2,
        3,
    ]
    opened.close()
    again = Opened(tmp_path)
    assert again.add_probe("d", lambda number: {"x": number}).result(10) == 4
    again.close()


def test_the_database_is_its_owners_alone(opened):
    opened.put([[1]])
    opened.flush()
    for path in (opened.path, opened.path.with_name("treetap.db-wal")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_numbers_tell_size_and_count(opened):
    opened.put([[1]] * 7)
    opened.flush()
    numbers = opened.numbers()
    assert numbers["events"] == 7
    assert numbers["written_rows"] == 7
    assert numbers["queued_rows"] == 0
    assert 0 < numbers["size_bytes"] < 1_000_000


def test_the_count_is_exact_after_a_kill_too(tmp_path):
    killed = Opened(tmp_path)
    killed.put([[1]] * 5)
    killed.flush()
    # Nobody gives its ids back.
    after = Opened(tmp_path)
    after.put([[1]] * 3, first_number=5)
    after.flush()
    assert after.numbers()["events"] == 8
    after.close()
    killed.close()


def test_closing_writes_what_waits(tmp_path):
    store = Opened(tmp_path)
    rows = [[NOON, 1]] * 500
    for i in range(60):
        first_id = store.new_ids(500)
        assert store.submit(EventBatch(first_id, 1, node_key(NODE), i * 500, rows, 100))
    assert store.close(timeout_s=20) == 0
    assert store.sql("SELECT count(*) FROM event") == [(30_000,)]


def test_two_stores_in_one_process_don_t_meet(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = Opened(tmp_path / "a"), Opened(tmp_path / "b")
    first.put([[1]])
    assert first.found() == [0]
    assert second.found() == []
    first.close()
    second.close()
