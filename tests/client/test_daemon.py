from __future__ import annotations

import http.server
import socket
import threading

import pytest

from tests.conftest import wait_until
from tests.running_daemon import identity, running_daemon
from treetap.client import DaemonClient
from treetap.errors import DaemonError


def refusal(function, *args, **kwargs) -> DaemonError:
    with pytest.raises(DaemonError) as caught:
        function(*args, **kwargs)
    return caught.value


def test_a_probe_s_life(running):
    client = running.client
    probe = client.add_probe(location="a.py:1", expressions=["a"], name="orders")
    assert client.probes() == [client.probe("orders")] == [client.probe(probe["id"])]
    assert client.change_probe("orders", max_hits=5)["max_hits"] == 5
    assert client.disable_probe("orders")["is_enabled"] is False
    assert client.enable_probe("orders")["is_enabled"] is True
    assert client.remove_probe("orders") is None
    assert client.probes() == []


def test_an_error_is_the_daemon_s_own(running):
    error = refusal(running.client.add_probe, location="nowhere")
    assert error.slug == "location-syntax"
    assert error.what == "'nowhere' is not a location."
    assert "file.py:42" in error.hint


@pytest.mark.parametrize("name", ["a/b", "..", "a?b", "a b", "ä", "%2e"])
def test_a_name_can_t_lead_to_another_path(running, name):
    assert refusal(running.client.probe, name).slug in ("probe-unknown", "request-path")
    if "/" not in name:
        assert running.client.set_tree(f"1-1{name}", awake=True)["id"] == f"1-1{name}"


def test_nobody_there_is_told():
    client = DaemonClient("http://127.0.0.1:1")
    error = refusal(client.status)
    assert error.slug == "daemon-unreachable"
    assert "127.0.0.1:1" in error.what
    assert refusal(lambda: list(client.stream())).slug == "daemon-unreachable"
    client.close()


@pytest.fixture
def foreign():
    """Another program's web server."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()
            self.wfile.write(b"hello")

        do_POST = do_GET

        def log_message(self, *args) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_another_program_is_not_taken_for_a_daemon(foreign):
    with DaemonClient(foreign) as client:
        for ask in (client.health, client.status, client.probes, client.shutdown):
            assert refusal(ask).slug == "daemon-foreign"
        assert refusal(lambda: next(client.stream())).slug == "daemon-foreign"


def test_the_stream_tells_what_happens_and_ends_with_the_daemon(home):
    events = []
    with running_daemon(home) as running:

        def tail() -> None:
            with DaemonClient(running.url) as client:
                events.extend(client.stream(probe="p1"))

        running.client.add_probe(location="a.py:1", expressions=["a"])
        thread = threading.Thread(target=tail)
        thread.start()
        wait_until(lambda: running.daemon.feed.listener_count == 1)
        link = running.connect(identity())
        link.send(["batch", "p1", 0, [[1, "a\n\ndata: x"]]])
        wait_until(lambda: running.daemon.ingest.rows == 1)
        running.client.change_probe("p1", max_hits=3)
    thread.join(60)
    link.close()
    assert [event["kind"] for event in events] == ["hit", "probe"]
    assert events[0]["values"] == {"a": "a\n\ndata: x"}


def test_a_stream_of_a_daemon_that_is_killed_says_so_in_our_words():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_half():
            connection, _peer = listener.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n:\n\n\r\n"
                )

        thread = threading.Thread(target=answer_half)
        thread.start()
        client = DaemonClient(f"http://127.0.0.1:{listener.getsockname()[1]}")
        error = refusal(lambda: list(client.stream()))
        thread.join()
    assert error.slug == "daemon-unreachable"
    assert error.what.endswith("was ended in the middle of its stream.")


def test_a_stream_may_be_left(running):
    running.client.add_probe(location="a.py:1", expressions=["a"])
    thread = threading.Thread(
        target=lambda: running.client.add_probe(location="b.py:1", expressions=["a"])
    )
    stream = running.client.stream(on_listening=thread.start)
    assert next(stream)["probe"]["location"] == "b.py:1"
    stream.close()
    thread.join()
    wait_until(lambda: running.daemon.feed.listener_count == 0)


def test_a_token_is_sent_to_whom_it_was_meant_for(home):
    with running_daemon(home, token="sesame") as running:
        assert running.client.status()["version"]
        assert running.client._http.headers["authorization"] == "Bearer sesame"


def test_the_environment_s_proxy_is_not_asked(running, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with DaemonClient(running.url) as client:
        assert client.health()["treetap"]["protocol"] == 1
