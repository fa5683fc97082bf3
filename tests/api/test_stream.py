from __future__ import annotations

import socket
import threading
import time

import httpx
import pytest

from tests.conftest import wait_until
from tests.running_daemon import identity, running_daemon


class Tail:
    """Collects a live stream on a thread."""

    def __init__(self, running, **filters) -> None:
        self.events: list[dict] = []
        self.arrived_s: list[float] = []
        self.is_over = False
        self._running = running
        before = running.daemon.feed.listener_count
        self._thread = threading.Thread(target=self._read, args=(filters,))
        self._thread.start()
        wait_until(lambda: running.daemon.feed.listener_count > before)

    def _read(self, filters) -> None:
        from treetap.client import DaemonClient

        with DaemonClient(self._running.url) as client:
            for event in client.stream(**filters):
                self.events.append(event)
                self.arrived_s.append(time.time())
        self.is_over = True

    def join(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()


def listening(running):
    url = f"{running.url}/api/v2/events/stream"
    return httpx.stream("GET", url, trust_env=False, timeout=60)


@pytest.fixture
def link(running):
    running.client.add_probe(location="a.py:1", expressions=["a"], name="orders")
    running.client.add_probe(location="a.py:2", expressions=["a"])
    link = running.connect(identity(11))
    yield link
    link.close()


def test_what_happens_is_told_as_it_happens(home):
    with running_daemon(home) as running:
        tail = Tail(running)
        running.client.add_probe(location="a.py:1", expressions=["a"], name="orders")
        link = running.connect(identity(11))
        link.send(["batch", "p1", 2, [[time.time_ns(), 5]]])
        wait_until(lambda: len(tail.events) == 4)
        for number in (3, 4):
            link.send(["batch", "p1", number, [[time.time_ns(), 5]]])
            wait_until(lambda told=number + 2: len(tail.events) == told)
        link.close()
        wait_until(lambda: len(tail.events) == 7)
    tail.join()
    kinds = [event["kind"] for event in tail.events]
    assert kinds == ["probe", "node", "loss", "hit", "hit", "hit", "node"]
    assert [event["values"] for event in tail.events[3:6]] == [{"a": 5}] * 3
    # One at least isn't held up by a busy machine; what we waited with would be late each time.
    late_s = [tail.arrived_s[n] - tail.events[n]["time_ns"] / 1e9 for n in (3, 4, 5)]
    assert min(late_s) < 0.25


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, [0, 1, 0]),
        ({"probe": "orders"}, [0, 1]),
        ({"probe": "p2"}, [0]),
        ({"pid": 12}, []),
        ({"node": "11-7"}, [0, 1, 0]),
        ({"tree": "other"}, []),
    ],
)
def test_a_filter_lets_through_what_it_says(running, link, wanted, numbers):
    everything, some = Tail(running), Tail(running, **wanted)
    link.send(["batch", "p1", 0, [[1, 1], [2, 2]]])
    link.send(["batch", "p2", 0, [[3, 3]]])
    wait_until(lambda: len(everything.events) == 3)
    wait_until(lambda: len(some.events) >= len(numbers))
    assert [event["number"] for event in some.events] == numbers
    running.call(running.daemon.feed.close)
    everything.join()
    some.join()


def test_silence_is_broken_by_a_heartbeat(running):
    import asyncio

    from treetap.api.stream import _lines
    from treetap.daemon.feed import EVERYTHING

    async def scenario() -> list[bytes]:
        lines = _lines(running.daemon.feed, EVERYTHING, 0.01)
        found = [await anext(lines) for _ in range(3)]
        await lines.aclose()
        return found

    found = asyncio.run_coroutine_threadsafe(scenario(), running.loop).result(60)
    assert found == [b": listening\n\n", b": heartbeat\n\n", b": heartbeat\n\n"]
    assert running.daemon.feed.listener_count == 0


def test_the_stream_is_server_sent_events(running, link):
    with listening(running) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.iter_lines()
        assert next(lines) == ": listening"
        link.send(["batch", "p1", 0, [[1, 1]]])
        assert next(lines) == ""
        assert next(lines) == "event: hit"
        assert next(lines).startswith('data: {"kind":"hit"')


def test_a_listener_who_goes_away_is_forgotten(running):
    with listening(running):
        wait_until(lambda: running.daemon.feed.listener_count == 1)
    wait_until(lambda: running.daemon.feed.listener_count == 0)


def test_one_who_reads_nothing_holds_up_nobody_and_is_told_what_he_lost(running, link):
    host, port = running.url.removeprefix("http://").split(":")
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect((host, int(port)))
    deaf.settimeout(60)
    deaf.sendall(f"GET /api/v2/events/stream HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    wait_until(lambda: running.daemon.feed.listener_count == 1)
    tail = Tail(running, probe="p2")
    total = 150_000
    for first in range(0, total, 500):
        link.send(["batch", "p1", first, [[1, "x" * 20]] * 500])
    wait_until(lambda: running.daemon.ingest.rows == total, 100)
    link.send(["batch", "p2", 0, [[1, 1]]])
    wait_until(lambda: tail.events)
    # Now it reads: what is left, and how much is not.
    received = bytearray()
    while b'"where":"stream"' not in received:
        received += deaf.recv(65536)
    start = received.index(b'"where":"stream"')
    while b"}" not in received[start:]:
        received += deaf.recv(65536)
    assert int(received[start:].split(b'"lost":')[1].split(b"}")[0]) > 10_000
    deaf.close()
    running.call(running.daemon.feed.close)
    tail.join()


def test_the_daemon_ends_soon_with_streams_open(home):
    with running_daemon(home) as running:
        tails = [Tail(running) for _ in range(3)]
        began = time.monotonic()
        running.client.shutdown()
        running.thread.join(30)
        assert time.monotonic() - began < 20
    for tail in tails:
        tail.join()
        assert tail.is_over
