from __future__ import annotations

import socket
import threading
import time

import pytest

from tests.conftest import wait_until
from tests.link.fake_daemon import FakeDaemon
from tests.node.fake_probe_set import FakeProbeSet
from treetap.model.location import Location
from treetap.model.probe import Limits, Probe
from treetap.node import outbox, shipper
from treetap.wire.message import probe_to_dict

PROBE = Probe(
    id="p1",
    location=Location(file="shop.py", line=3),
    expressions=("x",),
    limits=Limits(max_chars=4),
)


@pytest.fixture
def engine():
    return FakeProbeSet()


@pytest.fixture
def shipping(make_node, daemon, engine):
    """An awake node with one probe."""
    daemon.probes = [probe_to_dict(PROBE)]
    node = make_node(daemon_url=daemon.url, factory=lambda _node: engine)
    node.wake()
    return node


def numbers(daemon):
    """Of all rows that arrived, by their batches' first numbers."""
    return [m[2] + i for _id, m in daemon.received if isinstance(m, list) for i in range(len(m[3]))]


def answered(daemon):
    """The newest revision that a status answered."""
    return max((status["revision"] for status in daemon.of_type("status")), default=0)


def test_rows_are_shipped_with_their_numbers(shipping, daemon, engine):
    for number in range(100):
        engine.hit("p1", number, number * 2)
    wait_until(lambda: len(daemon.rows()) == 100)
    assert daemon.rows() == [[n, n * 2] for n in range(100)]
    assert numbers(daemon) == list(range(100))


def test_texts_are_cut_to_the_probes_limit(shipping, daemon, engine):
    engine.hit("p1", 1, "abcdefgh")
    wait_until(daemon.rows)
    assert daemon.rows() == [[1, {"$": "str", "v": "abcd", "len": 8}]]


def test_a_status_follows_each_change_and_each_second(shipping, daemon, engine):
    wait_until(lambda: daemon.of_type("status"))
    first = daemon.of_type("status")[0]
    assert first["revision"] == 1
    assert first["probes"][0]["probe_id"] == "p1"
    wait_until(lambda: len(daemon.of_type("status")) > 1)
    wait_until(lambda: shipping.status()["probes"][0]["state"] == "armed")


def test_new_probes_of_the_daemon_are_applied_and_answered(shipping, daemon, engine):
    other = PROBE._replace(id="p2")
    daemon.send({"type": "probes", "revision": 7, "probes": [probe_to_dict(other)]})
    wait_until(lambda: [probe.id for probe in engine.wanted] == ["p2"])
    wait_until(lambda: answered(daemon) == 7)


def test_a_probe_that_cannot_be_read_is_left_out_and_told(shipping, daemon, engine):
    bad = {**probe_to_dict(PROBE), "mode": "sometimes", "id": "p9"}
    daemon.send({"type": "probes", "revision": 2, "probes": [bad, {}, 7, probe_to_dict(PROBE)]})
    wait_until(lambda: answered(daemon) == 2)
    assert [probe.id for probe in engine.wanted] == ["p1"]
    assert shipping.status()["fault_count"] == 3


def test_disabled_and_expired_probes_are_not_wanted(shipping, daemon, engine):
    off = PROBE._replace(id="p2", is_enabled=False)
    over = PROBE._replace(id="p3", expires_at_s=1.0)
    daemon.send(
        {"type": "probes", "revision": 2, "probes": [probe_to_dict(p) for p in (off, over)]}
    )
    wait_until(lambda: engine.wanted == ())


@pytest.mark.parametrize(
    "message", [[], [1], {}, {"type": "novelty"}, {"type": "probes", "probes": 7}]
)
def test_odd_messages_do_not_end_the_link(shipping, daemon, engine, message):
    daemon.send(message)
    engine.hit("p1", 1, 2)
    wait_until(daemon.rows)
    assert shipping.status()["link"] == "connected"


def test_after_what_is_no_message_the_node_begins_anew(shipping, daemon, engine):
    daemon.send(None)
    wait_until(lambda: len(daemon.links) == 2)
    engine.hit("p1", 1, 2)
    wait_until(daemon.rows)
    assert "link-codec" in shipping.status()["faults"][0]["what"]


def test_a_fault_of_the_engine_does_not_end_the_shipper(make_node, daemon):
    class Faulty(FakeProbeSet):
        def tick(self):
            if self.ticks < 3:
                self.ticks += 1
                raise ZeroDivisionError
            return super().tick()

    engine = Faulty()
    daemon.probes = [probe_to_dict(PROBE)]
    node = make_node(daemon_url=daemon.url, factory=lambda _node: engine)
    node.wake()
    engine.hit("p1", 1, 2)
    wait_until(daemon.rows)
    assert node.status()["faults"][0]["where"] == "the engine"


def test_the_last_rows_are_shipped_when_the_node_goes_to_sleep(shipping, daemon, engine):
    for number in range(20_000):
        engine.hit("p1", number, "text")
    shipping.sleep()
    wait_until(lambda: daemon.of_type("bye"))
    assert len(daemon.rows()) == 20_000
    assert numbers(daemon) == list(range(20_000))


def test_after_the_daemons_return_the_node_is_back_by_itself(shipping, daemon, engine):
    engine.hit("p1", 0, 0)
    wait_until(daemon.rows)
    daemon.cut_links()
    wait_until(lambda: shipping.status()["link"] == "reconnecting" or len(daemon.links) == 2)
    engine.hit("p1", 1, 1)
    wait_until(lambda: len(daemon.rows()) == 2)
    assert shipping.status()["link"] == "connected"
    assert shipping.state == "awake"
    assert [probe.id for probe in engine.wanted] == ["p1"]


def test_a_daemon_that_is_gone_costs_nothing_and_is_tried_again_and_again(
    make_node, tmp_path, engine
):
    with FakeDaemon(tmp_path, probes=[probe_to_dict(PROBE)]) as daemon:
        node = make_node(daemon_url=daemon.url, factory=lambda _node: engine)
        node.wake()
    wait_until(lambda: node.status()["link"] == "reconnecting")
    ticks = engine.ticks
    wait_until(lambda: engine.ticks > ticks + 20)  # time to live and budgets go on
    assert node.thread_count <= 3
    begin = time.monotonic()
    assert node.sleep() == {"status": "sleeping"}
    assert time.monotonic() - begin < 20
    wait_until(lambda: node.thread_count == 1)


def test_a_daemon_that_reads_nothing_neither_stops_the_clock_nor_fills_memory(
    make_node, tmp_path, engine
):
    with socket.socket(socket.AF_UNIX) as listener:
        path = str(tmp_path / "deaf.sock")
        listener.bind(path)
        listener.listen()
        with FakeDaemon(tmp_path, probes=[probe_to_dict(PROBE)]) as daemon:
            node = make_node(
                daemon_url=daemon.url, factory=lambda _node: engine, unregister_timeout=2
            )
            node.wake()
            sent = node.life.awake._shipper
            # A socket whose other end nobody reads takes the place of the link.
            ours, theirs = socket.socketpair()
            from treetap.link.connection import LinkConnection

            before, sent._connection = sent._connection, LinkConnection(ours)
            for _ in range(50):
                for number in range(2000):
                    engine.hit("p1", number, "text")
                ticks = engine.ticks
                wait_until(lambda at=ticks: engine.ticks > at)
            assert sent._outbox.pending_bytes < outbox.FULL_BYTES + 4_000_000
            begin = time.monotonic()
            node.sleep()
            assert time.monotonic() - begin < 20
            theirs.close()
            before.close()


def test_the_shipper_says_goodbye_in_its_time_to_a_daemon_that_reads_nothing(engine):
    ours, theirs = socket.socketpair()
    from treetap.link.connection import LinkConnection

    engine.apply([PROBE])
    shipping = shipper.Shipper(
        engine, LinkConnection(ours), attempt=lambda: None, on_sleep=lambda: None,
        on_fault=lambda *_fault: None,
    )  # fmt: skip
    shipping.start()
    for number in range(100_000):
        engine.hit("p1", number, "text")
    begin = time.monotonic()
    shipping.stop("exit", 0.3)
    assert 0.2 < time.monotonic() - begin < 20
    wait_until(lambda: shipping.thread_count == 0)
    theirs.close()


def test_a_paused_shipper_loses_nothing(shipping, daemon, engine):
    shipping.pause()
    wait_until(lambda: shipping.thread_count == 0)
    engine.hit("p1", 1, 2)
    shipping.resume()
    wait_until(daemon.rows)


def test_backing_off_is_spread(monkeypatch):
    assert 1 <= shipper._spread(1) <= 1.2


def test_a_shipper_that_is_too_busy_to_pause_goes_on(shipping, daemon, engine):
    begun, may_go_on = threading.Event(), threading.Event()
    tick = engine.tick

    def busy():
        begun.set()
        may_go_on.wait(20)
        return tick()

    engine.tick = busy
    assert begun.wait(10)
    shipping.pause()  # it waits for a second, and no longer
    resuming = threading.Thread(target=shipping.resume, daemon=True)
    resuming.start()
    resuming.join(10)
    is_resumed = not resuming.is_alive()
    engine.tick = tick
    may_go_on.set()
    assert is_resumed
    engine.hit("p1", 1, 2)
    wait_until(daemon.rows)
