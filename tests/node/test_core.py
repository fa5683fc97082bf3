from __future__ import annotations

import gc
import os
import socket
import threading
import time

import pytest

from tests.conftest import wait_until
from tests.link.fake_daemon import FakeDaemon
from tests.node.fake_probe_set import FakeProbeSet
from tests.node.traces import descriptors, threads
from treetap.errors import ControlPlaneError, DaemonError, LinkError, StateError
from treetap.model.location import Location
from treetap.model.probe import Probe
from treetap.node.registry import live_nodes
from treetap.wire.message import probe_to_dict

PROBE = Probe(id="p1", location=Location(file="shop.py", line=3), expressions=("x",))
DETRIX_KEYS = {
    "state", "name", "control_host", "control_port", "debug_port", "debug_port_active",
    "daemon_url", "connection_id",
}  # fmt: skip


def silent_server():
    """Takes connections and never answers."""
    return socket.create_server(("127.0.0.1", 0))


def failing_wake(node):
    with pytest.raises((DaemonError, StateError)):
        node.wake()


def test_a_new_node_sleeps_and_is_found(make_node, home):
    node = make_node()
    status = node.status()
    assert status["state"] == "sleeping"
    assert status["connection_id"] is None
    assert set(status) > DETRIX_KEYS
    (found,) = live_nodes(str(home))
    assert found.identity == node.identity
    assert found.control_port == status["control_port"]


def test_a_node_that_is_shut_down_leaves_nothing(make_node, home):
    gc.collect()
    before = threads(), descriptors(), dict(os.environ)
    node = make_node()
    node.shutdown()
    node.shutdown()
    wait_until(lambda: (threads(), descriptors(), dict(os.environ)) == before)
    assert live_nodes(str(home)) == []


def test_waking_arms_the_daemons_probes_and_sleeping_closes_the_engine(make_node, daemon):
    daemon.probes = [probe_to_dict(PROBE)]
    engines = []

    def factory(_node):
        engines.append(FakeProbeSet())
        return engines[-1]

    node = make_node(daemon_url=daemon.url, factory=factory)
    assert node.wake()["status"] == "awake"
    assert [probe.id for probe in engines[0].wanted] == ["p1"]
    assert node.status()["state"] == "awake"
    assert node.status()["link"] == "connected"
    assert node.status()["connection_id"] == node.identity.id
    assert node.wake()["status"] == "already_awake"
    assert node.sleep() == {"status": "sleeping"}
    assert engines[0].is_closed
    wait_until(lambda: daemon.of_type("bye") == [{"type": "bye", "reason": "sleep"}])
    assert node.sleep() == {"status": "already_sleeping"}
    assert node.wake()["status"] == "awake"
    assert len(engines) == 2


def test_an_awake_node_that_is_shut_down_says_why(make_node, daemon):
    node = make_node(daemon_url=daemon.url)
    node.wake()
    node.shutdown()
    wait_until(lambda: daemon.of_type("bye") == [{"type": "bye", "reason": "exit"}])
    assert node.state == "sleeping"


def test_sleeping_leaves_no_thread_and_no_descriptor(make_node, daemon):
    node = make_node(daemon_url=daemon.url)

    def ours():
        """Threads and descriptors of this process, without those of the daemon's threads."""
        daemon.links.clear()
        for thread in daemon._threads[3:]:
            thread.join(5)
        del daemon._threads[3:]
        gc.collect()
        return threads(), descriptors()

    at_first = ours()
    node.wake()  # what the first wake loads stays loaded
    node.sleep()
    wait_until(lambda: ours()[0] == at_first[0])
    before = ours()
    node.wake()
    assert node.thread_count == 2
    assert threads() > before[0]
    assert descriptors() > before[1]
    node.sleep()
    assert node.thread_count == 1
    wait_until(lambda: ours() == before)


def test_a_failed_wake_goes_back_and_raises_with_its_cause(make_node):
    node = make_node(daemon_url="http://127.0.0.1:1")
    with pytest.raises(DaemonError) as caught:
        node.wake()
    assert isinstance(caught.value.__cause__, LinkError)
    assert node.state == "sleeping"
    node.life.warm_up()
    with pytest.raises(DaemonError):
        node.wake()
    assert node.state == "warm"
    assert node.status()["connection_id"] is None


def test_a_fault_of_the_engine_is_a_failed_wake(make_node, daemon):
    def factory(_node):
        raise ZeroDivisionError

    node = make_node(daemon_url=daemon.url, factory=factory)
    with pytest.raises(ZeroDivisionError):
        node.wake()
    assert node.state == "sleeping"


def test_a_fault_after_the_link_is_open_leaves_nothing_behind(make_node, daemon):
    class Faulty(FakeProbeSet):
        def apply(self, probes):
            raise ZeroDivisionError

    engines = []

    def factory(_node):
        engines.append(Faulty())
        return engines[-1]

    node = make_node(daemon_url=daemon.url, factory=factory)
    with pytest.raises(ZeroDivisionError):
        node.wake()
    assert node.state == "sleeping"
    assert node.status()["link"] == "none"
    assert engines[0].is_closed
    assert node.thread_count == 1


def test_status_returns_at_once_while_a_wake_waits_for_a_dead_daemon(make_node):
    with silent_server() as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        node = make_node(daemon_url=url, health_check_timeout=30)
        waking = threading.Thread(target=failing_wake, args=(node,))
        waking.start()
        wait_until(lambda: node.state == "waking")
        before = time.monotonic()
        for _ in range(100):
            assert node.status()["state"] == "waking"
        assert time.monotonic() - before < 20
        node.shutdown()
        waking.join(30)
        assert not waking.is_alive()


def test_shutting_down_gives_up_a_wake_that_is_under_way(make_node):
    with silent_server() as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        node = make_node(daemon_url=url, health_check_timeout=60)
        outcomes = []

        def wake():
            with pytest.raises((DaemonError, StateError)) as caught:
                node.wake()
            outcomes.append(caught.value)

        waking = threading.Thread(target=wake)
        waking.start()
        wait_until(lambda: node.state == "waking")
        begin = time.monotonic()
        node.shutdown()
        assert time.monotonic() - begin < 20
        waking.join(30)
        assert outcomes
        assert node.state == "sleeping"


def test_one_wakes_and_the_others_get_its_answer(make_node, daemon):
    node = make_node(daemon_url=daemon.url)
    answers = []
    barrier = threading.Barrier(8)

    def wake():
        barrier.wait()
        answers.append(node.wake()["status"])

    waking = [threading.Thread(target=wake) for _ in range(8)]
    for thread in waking:
        thread.start()
    for thread in waking:
        thread.join()
    assert sorted(answers) == ["already_awake"] * 7 + ["awake"]
    wait_until(lambda: len(daemon.of_type("hello")) == 1)
    assert len(daemon.links) == 1


def test_sleep_waits_for_a_wake_that_is_under_way(make_node, tmp_path):
    with FakeDaemon(tmp_path, is_link_silent=True) as daemon:
        node = make_node(daemon_url=daemon.url, register_timeout=0.3)
        waking = threading.Thread(target=failing_wake, args=(node,))
        waking.start()
        wait_until(lambda: node.state == "waking" or not waking.is_alive())
        assert node.sleep() == {"status": "already_sleeping"}
        waking.join()


def test_an_override_of_the_daemon_is_kept(make_node, daemon):
    node = make_node(daemon_url="http://127.0.0.1:1")
    assert node.wake(daemon.url + "/")["daemon_url"] == daemon.url
    node.sleep()
    assert node.status()["daemon_url"] == daemon.url
    node.wake()


def test_an_override_that_failed_is_not_kept(make_node, daemon):
    node = make_node(daemon_url=daemon.url)
    with pytest.raises(DaemonError):
        node.wake("http://127.0.0.1:1")
    assert node.status()["daemon_url"] == daemon.url


def test_start_state_warm_has_the_engine_loaded_and_nothing_registered(make_node, daemon):
    engines = []

    def factory(_node):
        engines.append(FakeProbeSet())
        return engines[-1]

    node = make_node(start_state="warm", daemon_url=daemon.url, factory=factory)
    assert node.state == "warm"
    assert (len(engines), daemon.links) == (1, [])
    node.wake()
    assert len(engines) == 1
    node.sleep()
    assert node.state == "sleeping"


def test_sleep_of_a_warm_node_closes_the_engine(make_node):
    engine = FakeProbeSet()
    node = make_node(start_state="warm", factory=lambda _node: engine)
    assert node.sleep() == {"status": "sleeping"}
    assert engine.is_closed


def test_start_state_awake_wakes_in_the_background(make_node, daemon):
    node = make_node(start_state="awake", daemon_url=daemon.url)
    wait_until(lambda: node.state == "awake")


def test_a_background_wake_that_fails_is_told_by_status(make_node):
    node = make_node(start_state="awake", daemon_url="http://127.0.0.1:1")
    wait_until(lambda: node.status()["faults"])
    assert "daemon-unreachable" in node.status()["faults"][0]["what"]
    assert node.state == "sleeping"


def test_a_port_in_use_is_an_error_and_leaves_nothing(make_node, home):
    first = make_node()
    second = make_node(is_open=False, control_port=first.status()["control_port"])
    with pytest.raises(ControlPlaneError):
        second.open()
    assert len(live_nodes(str(home))) == 1


def test_a_home_that_cannot_be_written_is_complained_of(make_node, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "run").write_text("not a directory")
    node = make_node(home=str(blocked))
    assert "treetap ps" in node.status()["warnings"][0]
    node.shutdown()


def test_two_nodes_live_in_one_process(make_node, daemon):
    first, second = make_node(name="a", daemon_url=daemon.url), make_node(name="b")
    first.wake()
    assert (first.state, second.state) == ("awake", "sleeping")
    assert first.status()["control_port"] != second.status()["control_port"]
    first.shutdown()
    assert second.sleep() == {"status": "already_sleeping"}


def test_waking_after_a_shutdown_is_an_error(make_node, daemon):
    node = make_node(daemon_url=daemon.url)
    node.shutdown()
    with pytest.raises(StateError) as caught:
        node.wake()
    assert caught.value.slug == "state-closed"


def test_the_daemon_can_put_a_node_to_sleep(awake_node, daemon):
    daemon.send({"type": "sleep"})
    wait_until(lambda: awake_node.state == "sleeping")


def test_an_order_to_sleep_that_comes_late_is_not_for_the_next_wake(awake_node, daemon):
    first = awake_node.life.awake
    assert awake_node.sleep() == {"status": "sleeping"}
    awake_node.wake()
    assert awake_node.life.sleep(of=first) == {"status": "already_sleeping"}
    assert awake_node.state == "awake"
    assert awake_node.life.sleep(of=awake_node.life.awake) == {"status": "sleeping"}


def test_a_thousand_cycles_leak_nothing(make_node, daemon):
    import msgspec.msgpack  # noqa: F401 - a node that is awake for a while, or slow, loads it by itself

    node = make_node(daemon_url=daemon.url)

    def cycle(times):
        for _ in range(times):
            assert node.wake()["status"] == "awake"
            assert node.sleep()["status"] == "sleeping"
        for thread in daemon._threads[3:]:
            thread.join(30)
        del daemon._threads[3:]
        daemon.links.clear()
        daemon.received.clear()
        daemon.requests.clear()
        gc.collect()
        wait_until(lambda: threads() == settled)
        return threads(), descriptors(), len(gc.get_objects())

    settled = threads()
    cycle(20)
    before = cycle(20)
    after = cycle(200)
    assert after[:2] == before[:2]
    assert after[2] < before[2] + 200
