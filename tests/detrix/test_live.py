"""``/ws``: events as they happen."""

from __future__ import annotations

import base64
import itertools
import json
import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.conftest import wait_until
from tests.detrix.conformance import BETTER, SAME, Row
from tests.detrix.described import described_client
from tests.running_daemon import identity, running_daemon
from treetap.api.v1.live import MAX_SOCKETS
from treetap.store.schema import node_key

LIVE = "Live stream"
CONFORMANCE = [
    Row(
        LIVE,
        "`GET /ws`",
        BETTER,
        "`connectionId` and `error` are in the event; values are JSON.",
        "test_each_hit_is_a_frame_in_the_stream_s_own_spelling",
    ),
    Row(
        LIVE,
        "filters: `metricId`, `metricName`, `connectionId`, `group`",
        BETTER,
        "Detrix sends everything to everybody.",
        "test_a_socket_gets_what_it_asks_for",
    ),
    Row(
        LIVE,
        "a gap",
        BETTER,
        'What was lost on any way is told by the next event: `"gap": {"lost": 5, "where": ["node"]}`. '
        "Detrix writes it into its log.",
        "test_what_was_lost_is_told_by_the_next_event",
    ),
    Row(
        LIVE,
        "`Origin`",
        BETTER,
        "Another site's page is refused (403); with Detrix any page can listen.",
        "test_a_foreign_page_can_t_listen",
    ),
    Row(
        LIVE,
        "text that a client sends, pings each 30 s",
        SAME,
        "Ignored; a client whose pong doesn't come within 10 s is let go.",
        "test_what_a_client_says_is_ignored_and_its_end_is_heard",
    ),
    Row(
        LIVE,
        "limit of sockets a peer",
        BETTER,
        f"{MAX_SOCKETS}, then 429. Detrix has a setting for it that does nothing.",
        "test_a_peer_has_so_many_sockets_and_no_more",
    ),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with running_daemon(tmp_path_factory.mktemp("live")) as found:
        add = found.client.add_probe
        add(location="shop.py:3", expressions=["a", "b.c", "d"], name="orders", group="shop")
        add(location="shop.py:4", expressions=["a"], name="carts", snapshot=True)
        yield found


#: No test's rows count on from those of another.
_PIDS = itertools.count(5000)


@pytest.fixture
def node():
    return identity(next(_PIDS))


@pytest.fixture
def link(running, node):
    found = running.connect(node)
    yield found
    found.close()


def listen(running, query: str = "", **headers):
    return connect(f"ws://{_authority(running)}/ws{query}", proxy=None, open_timeout=30, **headers)


def _authority(running) -> str:
    return urlsplit(running.url).netloc


def next_event(socket_) -> dict:
    return json.loads(socket_.recv(timeout=30))


def test_each_hit_is_a_frame_in_the_stream_s_own_spelling(running, link, node):
    error = {"$": "error", "type": "NameError", "text": "qty"}
    taken = {
        "$": "snapshot",
        "locals": [["x", 1], ["name", "ann"]],
        "stack": [["total", "/srv/shop.py", 4], ["main", "/srv/shop.py", 9]],
    }
    with listen(running) as heard:
        link.send(
            ["batch", "p1", 0, [[5_000_000, 17, "BTCUSD", True], [6_000_000, None, error, 1.5]]]
        )
        link.send(["batch", "p2", 0, [[7_000_000, 1, taken]]])
        first, second, third = (next_event(heard) for _ in range(3))
    assert first == {
        "metricId": 1,
        "metricName": "orders",
        "timestamp": 5_000,
        "values": [
            {"expression": "a", "valueJson": "17", "valueNumeric": 17.0},
            {"expression": "b.c", "valueJson": '"BTCUSD"', "valueString": "BTCUSD"},
            {"expression": "d", "valueJson": "true", "valueBoolean": True},
        ],
        "connectionId": first["connectionId"],
    }
    assert first["connectionId"].endswith(f"{node_key(node):016x}")
    assert [each["expression"] for each in second["values"]] == ["a", "d"]
    assert second["error"]["errorType"] == "NameError"
    assert third["stackTrace"] == {
        "frames": [
            {"index": 0, "name": "total", "file": "/srv/shop.py", "line": 4},
            {"index": 1, "name": "main", "file": "/srv/shop.py", "line": 9},
        ],
        "total_frames": 2,
        "truncated": False,
    }
    assert third["memorySnapshot"] == {
        "locals": [
            {"name": "x", "value": "1", "var_type": "int", "scope": "local"},
            {"name": "name", "value": "ann", "var_type": "str", "scope": "local"},
        ],
        "scope": "local",
    }


def test_a_socket_gets_what_it_asks_for(running, link):
    other = running.connect(identity(next(_PIDS), name="cart"))
    try:
        with ExitStack() as stack:

            def heard(query):
                return stack.enter_context(listen(running, query))

            by_metric, by_name = heard("?metricId=2"), heard("?metricName=carts")
            by_group, by_nobody = heard("?group=shop"), heard("?metricId=99")
            link.send(["batch", "p1", 0, [[1000, 1, 2, 3]]])
            link.send(["batch", "p2", 0, [[2000, 1, {"$": "snapshot", "locals": [], "stack": []}]]])
            assert next_event(by_metric)["timestamp"] == 2
            assert next_event(by_name)["timestamp"] == 2
            event = next_event(by_group)
            assert (event["timestamp"], event["metricName"]) == (1, "orders")
            by_connection = heard(f"?connectionId={event['connectionId']}&metricId=1")
            other.send(["batch", "p1", 0, [[3000, 1, 2, 3]]])
            assert next_event(by_group)["timestamp"] == 3
            link.send(["batch", "p1", 1, [[4000, 1, 2, 3]]])
            assert next_event(by_connection)["timestamp"] == 4
            with pytest.raises(TimeoutError):
                by_nobody.recv(timeout=0)
    finally:
        other.close()


def test_a_metric_is_heard_on_when_its_expressions_change(running, node):
    metric = int(running.client.add_probe(location="shop.py:5", expressions=["a"])["id"][1:])
    with described_client(running.url) as http, listen(running, f"?metricId={metric}") as heard:
        changed = http.put(f"/api/v1/metrics/{metric}", json={"expressions": ["b", "c"]})
        assert changed.json()["metricId"] == metric
        successor = running.client.probes()[-1]["id"]
        assert successor != f"p{metric}"
        link = running.connect(node)
        link.send(["batch", successor, 0, [[1000, 1, 2]]])
        event = next_event(heard)
        link.close()
    assert event["metricId"] == metric
    assert [each["expression"] for each in event["values"]] == ["b", "c"]


def test_what_was_lost_is_told_by_the_next_event(running, link):
    with listen(running, "?metricId=1") as heard:
        link.send(["batch", "p1", 5, [[1000, 1, 2, 3], [2000, 1, 2, 3]]])
        assert next_event(heard)["gap"] == {"lost": 5, "where": ["node"]}
        assert "gap" not in next_event(heard)


def test_what_a_client_says_is_ignored_and_its_end_is_heard(running, link):
    # Those of earlier tests may still be on their way out.
    wait_until(lambda: running.daemon.feed.listener_count == 0)
    config = running.server.config
    assert (config.ws_ping_interval, config.ws_ping_timeout) == (30.0, 10.0)
    with listen(running) as heard:
        heard.send("hello")
        heard.send(b"\0")
        assert heard.ping().wait(30)
        link.send(["batch", "p1", 0, [[1000, 1, 2, 3]]])
        assert next_event(heard)["metricId"] == 1
        assert running.daemon.feed.listener_count == 1
    wait_until(lambda: running.daemon.feed.listener_count == 0)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:3000"])
def test_a_foreign_page_can_t_listen(running, origin):
    with pytest.raises(InvalidStatus) as refused, listen(running, origin=origin):
        pass
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body)["slug"] == "request-origin"


def test_our_own_page_can_listen(running):
    with listen(running, origin=f"http://{_authority(running)}"):
        pass


def test_a_filter_that_makes_no_sense_is_told_before_the_socket_opens(running):
    with pytest.raises(InvalidStatus) as refused, listen(running, "?metricId=x"):
        pass
    assert refused.value.response.status_code == 400
    assert json.loads(refused.value.response.body)["errorCode"] == 3001


def test_a_request_that_opens_no_socket_is_told_how(running):
    with described_client(running.url) as http:
        answer = http.get("/ws")
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")


def test_the_daemon_s_end_is_the_stream_s_end(home):
    with ExitStack() as stack:
        with running_daemon(home) as running:
            heard = stack.enter_context(listen(running))
            wait_until(lambda: running.daemon.feed.listener_count)
        with pytest.raises(ConnectionClosed) as ended:
            heard.recv(timeout=30)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code in (1001, 1012)


def test_a_peer_has_so_many_sockets_and_no_more(running):
    host, port = _authority(running).split(":")
    key = base64.b64encode(b"0" * 16).decode()
    request = (
        f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()

    def opened(stack) -> bytes:
        sock = stack.enter_context(socket.create_connection((host, int(port)), timeout=30))
        sock.sendall(request)
        return sock.recv(12, socket.MSG_WAITALL)

    wait_until(lambda: running.daemon.feed.listener_count == 0)
    with ExitStack() as stack:
        assert {opened(stack) for _ in range(MAX_SOCKETS)} == {b"HTTP/1.1 101"}
        assert opened(stack) == b"HTTP/1.1 429"
    wait_until(lambda: running.daemon.feed.listener_count == 0)
    with listen(running):
        pass
