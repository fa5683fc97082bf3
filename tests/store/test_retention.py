from __future__ import annotations

import time

from tests.store.filled import NODE, SECOND, Opened
from treetap.store.retention import STEP_EVENTS, Retention
from treetap.store.schema import node_key


def sweep(store: Opened) -> int:
    """Sweep to the end; how many steps it took."""
    steps = 1
    while store.sweep().result(10):
        steps += 1
        assert steps < 10_000
    return steps


def test_what_is_too_old_goes_and_the_rest_stays(tmp_path):
    store = Opened(tmp_path, retention=Retention(max_age_s=3600, max_bytes=0))
    now_ns = time.time_ns()
    store.put([[1]] * 3, start_ns=now_ns - 3700 * SECOND)
    store.put([[1]] * 2, start_ns=now_ns - 10 * SECOND, first_number=3)
    store.flush()
    sweep(store)
    assert store.found() == [3, 4]
    assert store.numbers()["events"] == 2
    store.close()


def test_old_events_go_in_short_steps(tmp_path):
    store = Opened(tmp_path, retention=Retention(max_age_s=10, max_bytes=0))
    store.put([[1]] * (STEP_EVENTS * 2 + 5))
    store.flush()
    assert sweep(store) == 3
    assert store.found() == []
    store.close()


def test_too_much_is_brought_below_its_limit_oldest_first_and_the_file_shrinks(tmp_path):
    limit = 2_000_000
    store = Opened(tmp_path, retention=Retention(max_age_s=0, max_bytes=limit))
    for i in range(8):
        store.put([["x" * 100]] * 3000, first_number=i * 3000)
    store.flush()
    assert store.numbers()["size_bytes"] > limit
    sweep(store)
    assert store.numbers()["size_bytes"] <= limit
    left = store.sql("SELECT min(number), max(number) FROM event")[0]
    assert left[0] > 3000
    assert left[1] == 23_999
    assert store.sql("PRAGMA page_count")[0][0] * 4096 < limit * 1.2
    # Stays as it is until it is over the limit again.
    assert sweep(store) == 1
    store.close()


def test_without_limits_everything_stays(tmp_path):
    store = Opened(tmp_path, retention=Retention(max_age_s=0, max_bytes=0))
    store.put([[1]] * 10, start_ns=1)
    store.flush()
    sweep(store)
    assert len(store.found()) == 10
    store.close()


def test_nodes_and_removed_probes_go_with_their_last_event(tmp_path):
    store = Opened(tmp_path, retention=Retention(max_age_s=3600, max_bytes=0))
    store.save_probe(1, name="gone", definition={}, is_removed=True).result(10)
    store.save_probe(2, name="kept", definition={}).result(10)
    store.put([[1]])
    store.flush()
    store.sql("UPDATE node SET last_seen_at_s = 5")
    sweep(store)
    assert store.probes(with_removed=True) == [(2, {}, False)]
    assert store.sql("SELECT count(*) FROM node") == [(0,)]
    assert store.progress(node_key(NODE)) == {}
    store.close()
