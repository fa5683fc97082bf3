"""The daemon as a process: its start, its files, its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

from tests.conftest import wait_until
from tests.running_daemon import identity
from treetap.client import DaemonClient, find_daemon
from treetap.link.connection import LinkConnection
from treetap.link.discovery import find_link
from treetap.store import EventFilter, Store


@pytest.fixture
def process(home):
    process = subprocess.Popen(
        [sys.executable, "-m", "treetap.app", "run", "--home", str(home), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate(timeout=60)


@pytest.fixture
def url(home, process):
    return wait_until(lambda: find_daemon(home))


def log_of(home) -> str:
    return (home / "daemon.log").read_text()


def test_it_says_who_and_where_it_is(home, process, url):
    content = json.loads((home / "run" / "daemon.json").read_text())
    assert content["pid"] == process.pid
    assert content["url"] == url
    assert content["start_ns"] > 0
    assert os.path.exists(content["link"]["unix"])
    with DaemonClient(url) as client:
        health = client.health()
        assert (health["service"], health["status"]) == ("detrix", "ok")
        assert health["treetap"]["link"] == content["link"]
        assert health["treetap"]["version"] == content["version"]
        assert client.status()["pid"] == process.pid


def test_its_files_are_its_owners_alone(home, process, url):
    for path in [home / "daemon.log", home / "treetap.db", *(home / "run").iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE((home / "run").stat().st_mode) == 0o700


def test_a_node_finds_its_link_by_the_url(process, url):
    endpoint = find_link(url)
    LinkConnection.open(endpoint, identity()).close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_soon_and_nothing_is_lost(home, process, url, number):
    with DaemonClient(url) as client:
        client.add_probe(location="a.py:1", expressions=["a"])
        endpoint = client.health()["treetap"]["link"]
        link = LinkConnection.open(endpoint, identity())
        link.send(["batch", "p1", 0, [[1, i] for i in range(40_000)]])
        wait_until(lambda: client.status()["rows"] == 40_000)
    began = time.monotonic()
    process.send_signal(number)
    assert process.wait(30) == 0
    assert time.monotonic() - began < 20
    link.close()
    assert not (home / "run" / "daemon.json").exists()
    assert not os.path.exists(endpoint["unix"])
    assert process.stderr.read() == ""
    assert "Traceback" not in log_of(home)
    store = Store(f"sqlite:///{home / 'treetap.db'}")
    page = store.events(EventFilter(), limit=1)
    assert page.events[0]["number"] == 39_999
    store.close()


def test_it_ends_soon_with_streams_open_and_requests_pending(home, process, url):
    host, port = url.removeprefix("http://").split(":")
    idle = socket.create_connection((host, int(port)))
    slow = socket.create_connection((host, int(port)))
    slow.sendall(b"POST /api/v2/probes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{")
    stream = socket.create_connection((host, int(port)))
    stream.sendall(b"GET /api/v2/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with DaemonClient(url) as client:
        wait_until(lambda: client.status()["listeners"] == 1)
        began = time.monotonic()
        client.shutdown()
    assert process.wait(30) == 0
    assert time.monotonic() - began < 20
    for sock in (idle, slow, stream):
        sock.close()
    assert "Traceback" not in log_of(home)


def test_two_signals_are_as_one(process, url):
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0


def test_a_second_one_says_that_one_runs_and_leaves_it_alone(home, process, url):
    second = subprocess.run(
        [sys.executable, "-m", "treetap.app", "run", "--home", str(home), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert second.returncode == 3
    assert f"process {process.pid}" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    assert find_daemon(home) == url


def test_a_port_taken_by_a_stranger_is_told_in_one_line(home):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "treetap.app", "run", "--home", str(home), "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert f"Port {port}" in done.stderr
    assert str(os.getpid()) in done.stderr
    assert done.stderr.strip().endswith("[daemon-port-busy]")


def test_a_database_that_can_t_be_used_is_told_in_one_line(home):
    (home / "treetap.db").write_text("no database " * 1000)
    done = subprocess.run(
        [sys.executable, "-m", "treetap.app", "run", "--home", str(home), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.strip().endswith("[store-unusable]")
    assert len(done.stderr.splitlines()) == 1


def test_after_a_kill_the_next_one_goes_on(home, process, url):
    with DaemonClient(url) as client:
        client.add_probe(location="a.py:1", expressions=["a"], name="orders")
    process.kill()
    process.wait(30)
    assert (home / "run" / "daemon.json").exists()
    assert find_daemon(home) is None
    second = subprocess.Popen(
        [sys.executable, "-m", "treetap.app", "run", "--home", str(home), "--port", "0"]
    )
    try:
        with DaemonClient(wait_until(lambda: find_daemon(home))) as client:
            assert client.probe("orders")["id"] == "p1"
    finally:
        second.terminate()
        assert second.wait(30) == 0
