"""A node and the real daemon, which runs as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import wait_until
from tests.node.fake_probe_set import FakeProbeSet
from tests.ports import free_port
from treetap.client import DaemonClient
from treetap.errors import DaemonError


class RealDaemon:
    """Started on demand, on one port for all its lives."""

    def __init__(self, home):
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = DaemonClient(self.url)
        self.process = None

    def start(self):
        command = ["-m", "treetap.app", "run", "--home", str(self.home), "--port", str(self.port)]
        self.process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
        wait_until(self.is_up)
        return self

    def is_up(self):
        assert self.process.poll() is None
        try:
            return self.client.status()
        except DaemonError:
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        self.client.close()

    def node(self, who):
        return next((n for n in self.client.nodes() if n["id"] == who.identity.id), None)

    def values(self, probe_id):
        return [event["values"]["x"] for event in self.hits(probe_id)]

    def hits(self, probe_id):
        found = self.client.events(probe=probe_id, limit=1000)["events"]
        return [event for event in found if event["kind"] == "hit"]


@pytest.fixture
def real(home):
    daemon = RealDaemon(home)
    yield daemon.start()
    daemon.close()


@pytest.fixture
def engine():
    return FakeProbeSet()


@pytest.fixture
def node(make_node, real, engine):
    return make_node(daemon_url=real.url, factory=lambda _node: engine)


@pytest.mark.timeout(90)
def test_values_arrive_under_the_nodes_name_and_pid(real, node, engine):
    node.wake()
    wait_until(lambda: real.node(node) and real.node(node)["state"] == "awake")
    probe = real.client.add_probe(location="shop.py:3", expressions=["x"])
    wait_until(lambda: [each.id for each in engine.wanted] == [probe["id"]])
    for number in range(10):
        engine.hit(probe["id"], 1_000_000_000_000 + number, number)
    wait_until(lambda: sorted(real.values(probe["id"])) == list(range(10)))
    event = real.hits(probe["id"])[0]
    assert (event["pid"], event["name"]) == (os.getpid(), "shop")
    node.sleep()
    wait_until(lambda: real.node(node)["state"] != "awake")


@pytest.mark.timeout(90)
def test_after_a_kill_and_a_restart_the_node_is_back_by_itself_with_its_probes(real, node, engine):
    node.wake()
    probe = real.client.add_probe(location="shop.py:3", expressions=["x"])
    wait_until(lambda: engine.wanted)
    real.kill()
    wait_until(lambda: node.status()["link"] == "reconnecting")
    engine.hit(probe["id"], 1_000_000_000_000, 41)
    assert node.state == "awake"
    real.start()
    wait_until(lambda: node.status()["link"] == "connected", 20)
    engine.hit(probe["id"], 1_000_000_000_001, 42)
    wait_until(lambda: set(real.values(probe["id"])) >= {41, 42})
    assert [each.id for each in engine.wanted] == [probe["id"]]


@pytest.mark.timeout(90)
def test_a_tree_is_put_to_sleep_from_outside(real, node):
    node.wake()
    real.client.set_tree(node.identity.tree, awake=True)
    wait_until(lambda: real.node(node))
    real.client.set_tree(node.identity.tree, awake=False)
    wait_until(lambda: node.state == "sleeping")


@pytest.mark.timeout(180)
def test_a_thousand_cycles_leak_nothing(real):
    """Threads, descriptors, memory: with the real engine and the real daemon."""
    real.client.add_probe(location="json.decoder:JSONDecoder.decode", expressions=["s"])
    command = [sys.executable, "-m", "tests.node.cycles", real.url]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    left = json.loads(ran.stdout)
    assert left["faults"] == []
    assert left["after"]["threads"] == left["before"]["threads"]
    assert left["after"]["descriptors"] == left["before"]["descriptors"]
    assert left["after"]["kib"] < left["before"]["kib"] + 2048
