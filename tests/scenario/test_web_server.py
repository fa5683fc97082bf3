"""The main job: an unmodified program of the standard library, observed while it serves."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys

from tests.conftest import wait_until
from tests.ports import free_port
from tests.scenario.conftest import Machine

DO_GET = "http.server:SimpleHTTPRequestHandler.do_GET"


def get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def answers(port: int) -> bool:
    try:
        return get(port, "/") == 200
    except OSError:
        return False


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def test_a_web_server_is_probed_while_it_serves_and_put_to_sleep(machine: Machine):
    port = free_port()
    server = machine.start("run", "--name", "web", "--", sys.executable, "-m", "http.server", str(port),
                           "--bind", "127.0.0.1", stdout=None, stderr=None)  # fmt: skip
    wait_until(lambda: answers(port), 20)
    node = machine.nodes()[server.pid]
    assert (node["name"], node["state"]) == ("web", "sleeping")
    asleep_threads = threads(server.pid)

    added = machine.done(
        "probe", "add", DO_GET, "self.path", "self.client_address[0]", "--name", "gets"
    )
    assert f"web {server.pid}  armed" in added
    assert "http/server.py:" in added
    assert "injecting" in added

    tail = machine.start("tail", "--json", "--probe", "gets", "--last", "10")
    for number in range(3):
        get(port, f"/?{number}")
    event = json.loads(tail.stdout.readline())
    assert event["kind"] == "hit"
    assert event["pid"] == server.pid
    assert event["values"]["self.client_address[0]"] == "127.0.0.1"
    tail.send_signal(signal.SIGINT)
    assert tail.wait(10) == 0
    assert tail.stderr.read() == ""

    wait_until(lambda: len(machine.events("gets")) >= 3, 20)
    stored = [event["values"]["self.path"] for event in machine.events("gets")]
    assert stored[:3] == ["/?0", "/?1", "/?2"]

    assert machine.done("sleep") == f"web {server.pid} sleeping\n"
    assert machine.nodes()[server.pid]["state"] == "sleeping"
    wait_until(lambda: threads(server.pid) <= asleep_threads)
    count = len(machine.events())
    assert get(port, "/unseen") == 404
    assert len(machine.events()) == count


def test_a_condition_on_a_line_of_the_library_records_what_it_asks_for_only(machine: Machine):
    port = free_port()
    machine.start("run", "--", sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1",
                  stdout=None, stderr=None)  # fmt: skip
    wait_until(lambda: answers(port), 20)
    machine.done("probe", "add", "http.server:BaseHTTPRequestHandler.send_response", "code", "--if", "code >= 400",
                 "--name", "failures")  # fmt: skip
    for path in ("/", "/missing", "/", "/missing"):
        get(port, path)
    wait_until(lambda: len(machine.events("failures")) == 2, 20)
    probe = wait_until(lambda: (found := machine.probe("failures"))["hits"] == 4 and found, 20)
    assert probe["recorded"] == 2
    assert probe["nodes"][0]["skipped"] == {"condition": 2}
    listed = machine.done("probe", "list")
    assert "condition 2" in listed
