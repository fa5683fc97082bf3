from __future__ import annotations

import threading

import pytest

from treetap.probe.ring import Counter, Ring


@pytest.fixture(params=[True, False], ids=["by state", "in Python"])
def make_ring(request):
    return lambda rows: Ring(rows, counts_by_state=request.param)


def test_this_python_tells_the_state_of_a_deque():
    assert Ring(3).is_inlinable


def test_rows_come_out_in_order_and_numbered(make_ring):
    ring = make_ring(10)
    for number in range(5):
        ring.append(number)
    assert ring.drain(3) == (0, [0, 1, 2])
    ring.append(5)
    assert ring.drain(10) == (3, [3, 4, 5])
    assert ring.drain(10) == (0, [])
    assert (ring.appended, ring.lost) == (6, 0)


def test_what_is_dropped_is_a_gap_of_the_exact_size(make_ring):
    ring = make_ring(4)
    expected = 0
    for burst in (3, 9, 4, 1, 20):
        for number in range(expected, expected + burst):
            ring.append(number)
        expected += burst
        first, rows = ring.drain(2)
        assert rows == list(range(first, first + len(rows)))
    first, rows = ring.drain(100)
    assert rows[-1] == expected - 1
    assert first + len(rows) == expected
    assert ring.appended == expected
    # Everything was taken or lost: nothing is in between.
    assert ring.lost + ring._popped == expected


def test_threads_append_and_one_drains_and_nothing_is_uncounted(make_ring):
    ring = make_ring(64)
    each, workers = 5000, 3

    def append():
        for number in range(each):
            ring.append(number)

    threads = [threading.Thread(target=append) for _ in range(workers)]
    for thread in threads:
        thread.start()
    taken = 0
    while any(thread.is_alive() for thread in threads):
        taken += len(ring.drain(7)[1])
    for thread in threads:
        thread.join()
    taken += len(ring.drain(1000)[1])
    assert ring.appended == each * workers
    assert taken + ring.lost == each * workers


def test_a_child_starts_over_at_0(make_ring):
    ring = make_ring(4)
    for number in range(9):
        ring.append(number)
    ring.drain(2)
    ring.start_over()
    assert (ring.appended, ring.lost, ring.drain(9)) == (0, 0, (0, []))
    ring.append("a")
    assert ring.drain(9) == (0, ["a"])


def test_a_counter_is_exact_between_threads():
    counter = Counter()

    def count():
        for _ in range(20_000):
            counter.add()

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.value == 60_000
    counter.start_over()
    assert counter.value == 0
    counter.add()
    assert counter.value == 1
