from __future__ import annotations

import _thread
import subprocess
import sys
import threading

import pytest

from tests.conftest import wait_until
from tests.node.fake_probe_set import FakeProbeSet
from tests.node.test_shipper import PROBE
from tests.node.traces import wait_for_earlier_nodes
from treetap.errors import ControlPlaneError
from treetap.node import thread
from treetap.wire.message import probe_to_dict


def refuse(*_arguments):
    raise RuntimeError("can't start new thread")


def test_a_start_is_over_when_the_thread_runs_and_it_is_counted_until_it_ends():
    go_on = threading.Event()
    seen = []

    def run(number):
        seen.append(number)
        go_on.wait(10)

    wait_for_earlier_nodes()
    before = thread.count()
    thread.start(run, 7)
    assert thread.count() == before + 1
    go_on.set()
    wait_until(lambda: thread.count() == before)
    assert seen == [7]
    assert thread.has_just_ended(10)


def test_a_thread_that_cannot_be_started_is_not_counted(monkeypatch):
    wait_for_earlier_nodes()
    before = thread.count()
    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    with pytest.raises(RuntimeError):
        thread.start(print)
    assert thread.count() == before


def test_a_process_that_may_start_no_thread_is_told_so(monkeypatch, make_node):
    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    with pytest.raises(ControlPlaneError, match="no thread to serve from"):
        make_node()


def test_rows_of_a_process_that_can_start_no_shipper_as_it_ends_are_shipped(
    monkeypatch, make_node, daemon
):
    engine = FakeProbeSet()
    node = make_node(daemon_url=daemon.url, factory=lambda _node: engine)
    # 3.12 is like that from the moment that it begins to end.
    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    daemon.probes = [probe_to_dict(PROBE)]
    node.life.adopt(daemon.probes, None, daemon.url)
    assert node.state == "sleeping"  # not even a thread that waits
    node.life._turn.acquire()
    node.life.state = "waking"
    node.life.arm_adopted()
    engine.hit("p1", 1, 2)
    node.life.ship_adopted()
    node.life.finish(5.0)
    assert wait_until(daemon.rows) == [[1, 2]]


def test_a_process_that_ends_starts_no_thread_any_more():
    program = (
        "from treetap.node import thread\n"
        "thread.start_no_more()\n"
        "try:\n    thread.start(print)\n"
        "except RuntimeError as exc:\n    print(exc)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "no thread is started by a process that ends\n"
