"""Programs register, are observed, leave: with the clients as they are published, and by hand."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.compat.detrix.conftest import PATIENCE
from tests.conftest import wait_until
from tests.detrix.conformance import BETTER, SAME, Row
from tests.detrix.observing import (
    DEBUGPY,
    LINKED,
    connected,
    get,
    line_of,
    observing,
    post,
    serving,
)

CONFORMANCE = [
    Row(
        "Registration",
        "detrix-py 1.0.0 and 1.2.0, unmodified",
        SAME,
        "They register, are observed, unregister, wake again; a metric stays for the next time.",
        "test_a_published_client_registers_is_observed_and_leaves",
    ),
    Row(
        "Registration",
        "`GET /health`",
        SAME,
        "`advertiseUrl` is null; `adapterConnected` says whether a process is observed.",
        "test_health_says_what_clients_ask_for",
    ),
    Row(
        "Registration",
        "`GET /api/v1/connections`",
        BETTER,
        "Nodes of treetap are in it too, with port 0. Newest first; `pid`, and why one failed, are told.",
        "test_connections_are_what_is_observed",
    ),
    Row(
        "Registration",
        "`POST /api/v1/connections`",
        BETTER,
        "Answered within 5 s, whatever the debugger does: 201 with the status 2 while it says nothing, 502 if it "
        "can't be reached. `workspaceRoot` and `hostname` may be empty.",
        "test_a_registration_is_answered_whatever_the_debugger_does",
    ),
    Row(
        "Registration",
        "`connectionId`",
        BETTER,
        "`NAME-HASH`, one per process: two workers of one name are two. The same program at the same address, or "
        "started again, keeps its id, and its metrics.",
        "test_two_workers_of_one_name_are_two",
    ),
    Row(
        "Registration",
        "a registration that can't be used",
        BETTER,
        "422 where a field is missing, as Detrix, but in the shape of an error; 400 where it answers 500.",
        "test_a_registration_that_can_t_be_used_says_why",
    ),
    Row(
        "Registration",
        "`GET`, `DELETE /api/v1/connections/{id}`",
        BETTER,
        "404 for an unknown one; one that is closed stays, with status 1.",
        "test_a_closed_connection_stays_until_a_clean_up",
    ),
    Row(
        "Registration",
        "`POST /api/v1/connections/cleanup`",
        SAME,
        test="test_a_closed_connection_stays_until_a_clean_up",
    ),
    Row(
        "Registration",
        "`safeMode`",
        BETTER,
        "Refuses stacks and snapshots with 400, whether or not the process is connected.",
        "test_safe_mode_refuses_what_could_hold_a_process_up",
    ),
    Row(
        "Metrics",
        "expressions in Go and Rust",
        SAME,
        "Checked as such: assignments are refused, calls too unless they are trusted.",
        "test_a_registration_is_answered_whatever_the_debugger_does",
    ),
    Row(
        "Waking and sleeping",
        "`POST /api/v1/wake`",
        SAME,
        "Says what is awake, and starts nothing.",
        "test_wake_and_sleep_of_the_daemon",
    ),
    Row(
        "Waking and sleeping",
        "`POST /api/v1/sleep`",
        BETTER,
        "Lets all targets go, and puts nodes to sleep; `metricsSaved` counts. After Detrix's, events are lost.",
        "test_wake_and_sleep_of_the_daemon",
    ),
]

#: Of a first test that asks for a published client, since pip gets it then.
pytestmark = pytest.mark.timeout(600)

CLIENT = Path(__file__).with_name("client.py")
WORKSPACE = {"workspaceRoot": "/srv/app", "hostname": "elsewhere", "name": "shop"}
KEYS = [
    "connectionId",
    "host",
    "port",
    "language",
    "status",
    "createdAt",
    "connectedAt",
    "lastActiveAt",
    "autoReconnect",
    "reconnectAttempts",
    "maxReconnectAttempts",
    "safeMode",
    "name",
    "workspaceRoot",
    "hostname",
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("registration") / "home") as found:
        yield found


@pytest.fixture
def fresh(tmp_path):
    """A daemon that knows nobody."""
    with serving(tmp_path / "home") as found:
        yield found


class Client:
    """``client.py``, running."""

    def __init__(self, python: Path, name: str, url: str, home: Path) -> None:
        home.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [str(python), str(CLIENT), name, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **PATIENCE, "HOME": str(home)},
            cwd=home,
        )

    def tell(self, word: str) -> dict:
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the program has ended"
        return json.loads(line)

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def start(served, real_client, tmp_path):
    """Starts a program with a published client."""
    clients = []

    def started(version: str, name: str) -> Client:
        clients.append(Client(real_client(version), name, served.url, tmp_path / "cwd"))
        return clients[-1]

    yield started
    for client in clients:
        client.end()


@pytest.mark.parametrize("version", ["1.0.0", "1.2.0"])
@pytest.mark.usefixtures("unhurried_end")
def test_a_published_client_registers_is_observed_and_leaves(served, start, version):
    client = start(version, "trade-bot")
    woken = client.tell("wake")
    assert woken["status"] == "awake"
    connection = connected(served.http, woken["connection_id"])
    assert connection["connectionId"].startswith("trade-bot")
    assert (connection["status"], connection["port"]) == (3, woken["debug_port"])
    own_name = f"trade-bot-{woken['pid']}" if version == "1.0.0" else "trade-bot"
    assert (connection["name"], connection["language"]) == (own_name, "python")
    assert (connection["host"], connection["pid"]) == ("127.0.0.1", woken["pid"])
    metric = post(served.http, "metrics", doubled(connection), 201)["metricId"]
    wait_until(lambda: get(served.http, f"metrics/{metric}")["state"] == "armed")
    client.tell("3")
    wait_until(lambda: len(get(served.http, "events", metricId=metric)) == 3)
    assert client.tell("sleep")["status"] == "sleeping"
    assert get(served.http, f"connections/{connection['connectionId']}")["status"] == 1
    client.tell("3")
    again = client.tell("wake")
    assert again["connection_id"] == woken["connection_id"]
    wait_until(lambda: get(served.http, f"metrics/{metric}")["state"] == "armed")
    client.tell("1")
    wait_until(lambda: len(get(served.http, "events", metricId=metric)) == 4)
    client.tell("shutdown")
    assert get(served.http, f"connections/{connection['connectionId']}")["status"] == 1
    assert served.http.delete(f"metrics/{metric}").status_code == 204


def test_two_workers_of_one_name_are_two(served, start):
    workers = [start("1.2.0", "worker") for _ in range(2)]
    ids = [worker.tell("wake")["connection_id"] for worker in workers]
    assert len(set(ids)) == 2
    metrics = [
        post(served.http, "metrics", doubled(get(served.http, f"connections/{each}")), 201)
        for each in ids
    ]
    for metric in metrics:
        wait_until(
            lambda m=metric: get(served.http, f"metrics/{m['metricId']}")["state"] == "armed"
        )
    workers[0].tell("2")
    first, second = (metric["metricId"] for metric in metrics)
    wait_until(lambda: len(get(served.http, "events", metricId=first)) == 2)
    assert {e["connectionId"] for e in get(served.http, "events", metricId=first)} == {ids[0]}
    assert get(served.http, "events", metricId=second) == []
    workers[1].tell("1")
    wait_until(lambda: len(get(served.http, "events", metricId=second)) == 1)


def test_health_says_what_clients_ask_for(served):
    health = served.http.get(f"{served.url}/health").json()
    assert (health["service"], health["status"], health["advertiseUrl"]) == ("detrix", "ok", None)
    assert isinstance(health["uptimeSeconds"], int)
    with observing(served, LINKED):
        assert served.http.get(f"{served.url}/health").json()["adapterConnected"]


@pytest.mark.parametrize("way", [LINKED, DEBUGPY])
def test_connections_are_what_is_observed(served, way):
    with observing(served, way) as observed:
        connection = get(served.http, f"connections/{observed.connection}")
        assert [key for key in connection if key in KEYS] == KEYS
        assert (connection["name"], connection["status"]) == (observed.name, 3)
        assert (connection["pid"], connection["error"]) == (observed.pid, None)
        assert bool(connection["port"]) is (way == DEBUGPY)
        assert 0 < connection["createdAt"] <= connection["connectedAt"]
        listed = get(served.http, "connections")
        assert lasting(connection) in [lasting(each) for each in listed]
        (newest, *_) = get(served.http, "connections", activeOnly="true")
        assert newest["connectionId"] == observed.connection
    wait_until(lambda: get(served.http, f"connections/{observed.connection}")["status"] == 1)
    active = get(served.http, "connections", activeOnly="true")
    assert observed.connection not in [each["connectionId"] for each in active]


def test_a_registration_is_answered_whatever_the_debugger_does(fresh):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        asked = {"host": "127.0.0.1", "port": port, "language": "python", **WORKSPACE}
        answer = post(fresh.http, "connections", {**asked, "language": "golang"}, 201)
        assert list(answer) == ["connectionId", "status", "connection", "metadata"]
        assert answer["connection"]["language"] == "go"
        assert (answer["status"], answer["metadata"]) == ("created", None)
        assert answer["connection"]["status"] == 2
        # Its metrics may be asked for already, in its own language.
        metric = {
            "name": "orders",
            "connectionId": answer["connectionId"],
            "location": {"file": "/srv/app/main.go", "line": 7},
            "expressions": ["*order", "len(items)"],
            "condition": "!ok && order != nil",
            "enabled": True,
        }
        made = post(fresh.http, "metrics", metric, 201)
        assert (made["metric"]["language"], made["metric"]["state"]) == ("go", "nowhere")
        unsafe = {**metric, "name": "unsafe", "expressions": ["order.Save()"]}
        assert post(fresh.http, "metrics", unsafe, 400)["errorCode"] == 2001
    with socket.socket() as deaf:
        # Bound, so that nobody else can have it, and nobody listens.
        deaf.bind(("127.0.0.1", 0))
        asked["port"] = deaf.getsockname()[1]
        refused = post(fresh.http, "connections", {**asked, "name": "other"}, 502)
        assert (refused["errorCode"], refused["retryable"]) == (5002, True)
        (failed,) = [c for c in get(fresh.http, "connections") if c["name"] == "other"]
        assert (failed["status"], failed["connectedAt"]) == (4, None)
        assert failed["error"]
        # A client whose working directory is gone sends an empty one.
        empty = {**asked, "name": "empty", "workspaceRoot": "", "hostname": ""}
        assert post(fresh.http, "connections", empty, 502)["errorCode"] == 5002


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"port": None}, 422, 3001),
        ({"port": "4711"}, 422, 3001),
        ({"name": None}, 422, 3001),
        ({"port": 80}, 400, 3007),
        ({"port": 65536}, 400, 3007),
        ({"language": "cobol"}, 400, 3007),
        ({"name": ""}, 400, 3007),
        ({"host": ""}, 400, 3007),
    ],
)
def test_a_registration_that_can_t_be_used_says_why(served, change, status, code):
    asked = {"host": "127.0.0.1", "port": 4711, "language": "python", **WORKSPACE, **change}
    error = post(
        served.http, "connections", {k: v for k, v in asked.items() if v is not None}, status
    )
    assert (error["errorCode"], error["retryable"]) == (code, False)
    assert error["error"]


def test_a_closed_connection_stays_until_a_clean_up(fresh):
    with observing(fresh, DEBUGPY) as target, observing(fresh, LINKED) as node:
        for observed in (target, node):
            path = f"connections/{observed.connection}"
            assert fresh.http.delete(path).status_code == 204
            wait_until(lambda path=path: get(fresh.http, path)["status"] == 1)
            # Nothing of the program ends by it.
            observed.work(1)
        assert post(fresh.http, "connections/cleanup") == {"deleted": 2}
        assert get(fresh.http, "connections") == []
        assert post(fresh.http, "connections/cleanup") == {"deleted": 0}
        error = get(fresh.http, f"connections/{target.connection}", 404)
        assert error["error"] == f"Connection {target.connection} not found"
        assert (error["errorCode"], error["errorType"]) == (1001, "METRIC_NOT_FOUND")
        assert fresh.http.delete(f"connections/{target.connection}").status_code == 404


def test_safe_mode_refuses_what_could_hold_a_process_up(served):
    with observing(served, DEBUGPY) as observed:
        port = get(served.http, f"connections/{observed.connection}")["port"]
        assert observed.register(port, safeMode=True)["connection"]["safeMode"]
        error = observed.metric("stack", 400, captureStackTrace=True)
        assert (error["errorCode"], error["category"]) == (2010, "security")
        metric = observed.metric("plain")["metricId"]
        observed.work(1)
        assert observed.events(metric, 1)


@pytest.mark.usefixtures("unhurried_end")
def test_wake_and_sleep_of_the_daemon(fresh):
    idle = post(fresh.http, "wake")
    assert idle == {"status": "idle", "message": "0 active connection(s)", "connections": []}
    assert post(fresh.http, "sleep")["metricsSaved"] == 0
    with observing(fresh, DEBUGPY) as target, observing(fresh, LINKED) as node:
        metric = target.metric("kept")["metricId"]
        awake = post(fresh.http, "wake")
        assert (awake["status"], awake["message"]) == ("awake", "2 active connection(s)")
        found = {each["connectionId"] for each in awake["connections"]}
        assert found == {target.connection, node.connection}
        assert post(fresh.http, "sleep") == {
            "status": "sleeping",
            "metricsSaved": 1,
            "metadata": None,
            "message": "All adapters stopped",
        }
        wait_until(lambda: post(fresh.http, "wake")["status"] == "idle")
        target.work(1)
        port = get(fresh.http, f"connections/{target.connection}")["port"]
        assert target.register(port)["connectionId"] == target.connection
        target.armed(metric)
        target.work(1)
        assert len(target.events(metric, 1)) == 1


def lasting(connection):
    """What of a connection each status message of its node leaves as it is."""
    return {name: value for name, value in connection.items() if name != "lastActiveAt"}


def doubled(connection):
    """A metric at the observed line of ``client.py``."""
    return {
        "name": "doubled",
        "connectionId": connection["connectionId"],
        "location": {"file": str(CLIENT), "line": line_of("# observed", CLIENT)},
        "expressions": ["doubled"],
        "enabled": True,
    }
