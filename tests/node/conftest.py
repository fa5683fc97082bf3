"""Nodes, and what speaks to them, for the tests of this folder."""

from __future__ import annotations

import http.client
import json
import os
import socket

import pytest

from tests.link.fake_daemon import FakeDaemon
from tests.node.fake_probe_set import FakeProbeSet
from tests.node.traces import wait_for_earlier_nodes
from treetap.config import resolve
from treetap.node.core import Node


class Caller:
    """An HTTP client of another make than ours."""

    def __init__(self, node):
        self.node = node

    def __call__(self, method, path, body=None, headers=None, *, raw=False):
        port = self.node.status()["control_port"]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        try:
            content = body if isinstance(body, bytes | type(None)) else json.dumps(body).encode()
            connection.request(method, path, content, headers or {})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, text if raw else json.loads(text)
        finally:
            connection.close()


@pytest.fixture
def make_node(home, monkeypatch):
    """Opens nodes with fake engines; they are shut down with the test."""
    for name in ("TREETAP_TREE", "TREETAP_PARENT"):
        monkeypatch.delenv(name, raising=False)
    # Where nobody listens: a daemon of the developer's may be at the default address.
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setenv("TREETAP_DAEMON_URL", f"http://127.0.0.1:{port}")
    nodes = []
    owner = os.getpid()
    wait_for_earlier_nodes()

    def make(*, is_open=True, factory=lambda _node: FakeProbeSet(), **arguments):
        arguments.setdefault("name", "shop")
        for name in ("health_check_timeout", "register_timeout", "unregister_timeout"):
            arguments.setdefault(name, 60)  # a busy machine may hold up the daemon of the test
        node = Node(resolve(arguments), probe_set_factory=factory)
        nodes.append(node)
        if is_open:
            node.open()
        return node

    yield make
    if os.getpid() == owner:
        for node in nodes:
            node.shutdown()


@pytest.fixture
def daemon(tmp_path):
    with FakeDaemon(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def node(make_node):
    return make_node()


@pytest.fixture
def awake_node(make_node, daemon):
    node = make_node(daemon_url=daemon.url)
    node.wake()
    return node


@pytest.fixture
def call(node):
    return Caller(node)
