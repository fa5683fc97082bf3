"""Attacks on a control plane, over real sockets, as another user where it can be."""

from __future__ import annotations

import json
import os
import socket
import time

import pytest

from tests.conftest import wait_until
from tests.link.fake_daemon import FakeDaemon
from tests.link.other_user import needs_root, run_as_other_user
from tests.node.conftest import Caller
from treetap.link import auth
from treetap.node import gate, routes

FOREIGN = {"Host": "evil.example"}


def raw(port, content, *, timeout_s=15.0, is_half_closed=False):
    """Send bytes as they are; the answer's status and body."""
    with socket.create_connection(("127.0.0.1", port), timeout_s) as sock:
        sock.sendall(content)
        if is_half_closed:
            sock.shutdown(socket.SHUT_WR)
        answer = b""
        while more := sock.recv(65536):
            answer += more
    head, _mark, body = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]), body) if head else (0, b"")


def port_of(node):
    return node.status()["control_port"]


def ask_as_other_user(node, path, method="GET", *, body=b"", headers=b""):
    """What a process of another user gets: status and body."""
    heard, told = os.pipe()
    port = port_of(node)  # here: in the child it is the child's own
    request = b"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%sContent-Length: %d\r\n\r\n%s" % (
        method.encode(), path.encode(), headers, len(body), body,
    )  # fmt: skip

    def act():
        status, answer = raw(port, request)
        os.write(told, b"%d %s" % (status, answer[:60000]))

    with run_as_other_user(act):
        pass
    os.close(told)
    with open(heard, "rb") as file:
        status, _space, answer = file.read().partition(b" ")
    return int(status), answer


# Another user of this machine.

STRANGER_ROUTES = [
    ("GET", "status"),
    ("GET", "info"),
    ("POST", "wake"),
    ("POST", "sleep"),
    ("POST", "files/read"),
]


@needs_root
@pytest.mark.parametrize(("method", "route"), STRANGER_ROUTES)
@pytest.mark.parametrize("prefix", ["/treetap/", "/detrix/"])
def test_another_user_is_refused_though_he_is_on_loopback(node, prefix, method, route):
    status, body = ask_as_other_user(node, prefix + route, method, body=b'{"path": "a"}')
    assert status == 401
    error = json.loads(body)["error"]
    assert error == "Unauthorized" if prefix == "/detrix/" else error["slug"] == gate.REFUSED


@needs_root
def test_another_user_is_refused_before_he_learns_which_paths_there_are(node):
    assert ask_as_other_user(node, "/detrix/nope", "POST")[0] == 401


@needs_root
def test_another_user_with_the_token_may_speak(make_node):
    node = make_node(token="s3cret")
    assert (
        ask_as_other_user(node, "/treetap/status", headers=b"Authorization: Bearer s3cret\r\n")[0]
        == 200
    )
    for wrong in (b"s3creT", b"s3cret2", b"", b"s3cret\xc3\xa9"):
        headers = b"Authorization: Bearer " + wrong + b"\r\n"
        assert ask_as_other_user(node, "/treetap/status", headers=headers)[0] == 401


@needs_root
def test_an_empty_token_opens_nothing(make_node):
    node = make_node()
    for header in (
        b"Authorization: Bearer \r\n",
        b"Authorization: Bearer\r\n",
        b"Authorization: \r\n",
    ):
        assert ask_as_other_user(node, "/treetap/status", headers=header)[0] == 401


@needs_root
def test_another_user_who_closes_at_once_is_not_taken_for_root(node, daemon):
    """The kernel shows the owner of a closed socket as user 0, and this process is user 0."""
    node.life.daemon_url = daemon.url
    port = port_of(node)
    request = b"POST /treetap/wake HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"

    def act():
        for _ in range(20):
            sock = socket.create_connection(("127.0.0.1", port), 5)
            sock.sendall(request)
            sock.close()

    with run_as_other_user(act):
        pass
    Caller(node)("GET", "/treetap/health")
    wait_until(lambda: node.thread_count == 1)
    assert node.state == "sleeping"
    assert daemon.requests == []


@needs_root
def test_another_user_may_know_that_a_node_is_here(node):
    assert ask_as_other_user(node, "/treetap/health")[0] == 200


# Somebody on loopback whom nobody knows.


class Unknown:
    """A system that doesn't tell whose socket it is, as macOS does."""

    def __init__(self, settings):
        self.settings = settings

    def standing(self):
        return auth.standing(None, is_loopback=True, trust_loopback=self.settings.trust_loopback)


def test_where_the_user_cannot_be_known_loopback_is_trusted_unless_told_otherwise(make_node):
    assert Unknown(make_node().settings).standing() == auth.LOOPBACK
    assert Unknown(make_node(trust_loopback=False).settings).standing() == auth.STRANGER


def test_an_unknown_caller_on_loopback_may_not_choose_the_daemon():
    with pytest.raises(gate.ControlPlaneError) as caught:
        gate.check_daemon_url(auth.LOOPBACK, "http://127.0.0.1:9", "http://127.0.0.1:8090")
    assert caught.value.slug == gate.DAEMON_URL
    gate.check_daemon_url(auth.LOOPBACK, "http://127.0.0.1:8090/", "http://127.0.0.1:8090")
    for standing in (auth.SAME_USER, auth.TOKEN):
        gate.check_daemon_url(standing, "http://127.0.0.1:9", "http://127.0.0.1:8090")


def test_the_same_user_may_choose_the_daemon_and_our_token_is_not_shown_to_it(make_node, tmp_path):
    node = make_node(token="s3cret")
    with FakeDaemon(tmp_path) as other:
        status, _body = Caller(node)("POST", "/treetap/wake", {"daemon_url": other.url})
        assert status == 200
        wait_until(lambda: other.received)
        (_id, hello) = other.received[0]
        assert hello["proof"] == ""
        seen = f"{other.received} {[request.headers for request in other.requests]}"
        assert "s3cret" not in seen
        assert node.status()["daemon_url"] == other.url


def test_the_configured_daemon_gets_a_proof_and_never_the_token(make_node, tmp_path):
    with FakeDaemon(tmp_path, token="s3cret") as daemon:
        node = make_node(token="s3cret", daemon_url=daemon.url)
        node.wake()
        wait_until(lambda: daemon.received)
        (_id, hello) = daemon.received[0]
        assert len(hello["proof"]) == 64
        assert "s3cret" not in f"{daemon.received} {[r.headers for r in daemon.requests]}"


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "127.0.0.1:80", "http://", "javascript:1", "http://a b"]
)
def test_a_daemon_url_that_is_none_is_refused(call, url):
    status, body = call("POST", "/treetap/wake", {"daemon_url": url})
    assert (status, body["error"]["slug"]) == (503, "daemon-url")


# Web pages.


@pytest.mark.parametrize("route", ["health", "status", "discover"])
def test_a_page_that_rebinds_its_name_reads_nothing(call, route):
    for prefix in ("/treetap/", "/detrix/"):
        status, body = call("GET", prefix + route, headers=FOREIGN)
        assert status == 421
        assert "evil.example" in str(body)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:80", "http://localhost"]
)
def test_a_page_can_wake_nothing(call, node, origin):
    for path in ("/treetap/wake", "/detrix/wake"):
        assert call("POST", path, headers={"Origin": origin})[0] == 403
    assert node.state == "sleeping"


def test_a_request_without_a_host_is_refused(node):
    assert raw(port_of(node), b"GET /treetap/status HTTP/1.0\r\n\r\n")[0] == 421
    assert raw(port_of(node), b"GET /treetap/status HTTP/1.1\r\nHost:\r\n\r\n")[0] == 421


def test_two_hosts_are_malformed(node):
    content = b"GET /treetap/status HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n"
    assert raw(port_of(node), content)[0] == 400


def test_an_advertised_name_is_a_name_of_ours(make_node):
    call = Caller(make_node(advertise_host="shop.example"))
    assert call("GET", "/treetap/status", headers={"Host": "shop.example:80"})[0] == 200
    assert call("GET", "/treetap/status", headers=FOREIGN)[0] == 421


def test_bound_to_every_address_a_literal_one_is_a_name_of_ours(make_node):
    call = Caller(make_node(control_host="0.0.0.0"))
    assert call("GET", "/treetap/status", headers={"Host": "127.0.0.1:80"})[0] == 200
    assert call("GET", "/treetap/status", headers={"Host": "0.0.0.0:80"})[0] == 421
    assert call("GET", "/treetap/status", headers=FOREIGN)[0] == 421


# Floods.


def test_a_body_over_the_limit_is_refused_and_the_refusal_arrives(node):
    head = b"POST /treetap/wake HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1048577\r\n\r\n"
    status, body = raw(port_of(node), head + b"x" * 200_000)
    assert (status, json.loads(body)["error"]["slug"]) == (413, "link-http-size")


def test_a_chunked_body_is_refused(node):
    head = b"POST /treetap/wake HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert raw(port_of(node), head)[0] == 501


def test_a_head_without_end_is_refused(node):
    assert raw(port_of(node), b"GET /" + b"a" * 100_000)[0] == 413


def test_rubbish_is_refused_and_the_node_lives_on(node, call):
    for content in (b"\0" * 100 + b"\r\n\r\n", b"\x16\x03\x01\x02\0\r\n\r\n", b"\r\n\r\n"):
        assert raw(port_of(node), content)[0] == 400
    assert raw(port_of(node), b"", is_half_closed=True)[0] == 0
    assert call("GET", "/treetap/health")[0] == 200
    assert node.status()["faults"] == []


def test_deep_json_does_not_break_the_node(call):
    assert call("POST", "/treetap/wake", b"[" * 500_000)[0] == 400
    assert call("POST", "/detrix/files/read", b'{"a":' * 100_000)[0] == 400


def test_hung_connections_hold_up_neither_others_nor_shutdown(make_node):
    node = make_node()
    hung = [socket.create_connection(("127.0.0.1", port_of(node)), 5) for _ in range(40)]
    for sock in hung[::2]:
        sock.sendall(b"POST /treetap/wake HTTP/1.1\r\nContent-Length: 100\r\n")
    assert Caller(node)("GET", "/treetap/health")[0] == 200
    before = time.monotonic()
    node.shutdown()
    assert time.monotonic() - before < 8
    for sock in hung:
        sock.close()


def test_one_that_drips_is_cut_off_by_the_deadline_of_the_whole(make_node, monkeypatch):
    from treetap.node import control

    assert control.REQUEST_TIMEOUT_S == 10.0
    node = make_node(is_open=False)
    node.request_timeout_s = 0.4
    node.open()
    with socket.create_connection(("127.0.0.1", port_of(node)), 5) as sock:
        before = time.monotonic()
        sock.settimeout(0.01)
        answer = b""
        sock.sendall(b"GET /treetap/status HTTP/1.1\r\n")
        while not answer and time.monotonic() - before < 30:
            try:
                sock.sendall(b"a")
                answer = sock.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                break
        assert time.monotonic() - before < 25
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_peer_that_never_reads_its_answer_is_given_up(make_node, tmp_path):
    (tmp_path / "large").write_bytes(b"x" * 9_000_000)
    node = make_node(workspace_root=str(tmp_path))
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", port_of(node)))
        body = b'{"path": "large"}'
        sock.sendall(
            b"POST /treetap/files/read HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body)
        )
        wait_until(lambda: node.thread_count == 2)
        before = time.monotonic()
        node.shutdown()
        assert time.monotonic() - before < 8
    assert routes.ANSWER_TIMEOUT_S == 10.0


# Token files.


def test_a_token_in_the_home_is_read_each_time(make_node, home):
    node = make_node()
    assert node.token() == ""
    (home / "token").write_text("one\n")
    (home / "token").chmod(0o600)
    assert node.token() == "one"
    (home / "token").write_text("two\n")
    assert node.token() == "two"
    assert node.status()["warnings"] == []


def test_detrixs_token_file_is_read_where_there_is_none_of_ours(make_node, home):
    (home / "auth-token").write_text("theirs")
    (home / "auth-token").chmod(0o600)
    assert make_node().token() == "theirs"


def test_a_token_file_that_others_can_read_is_complained_of_once(make_node, home):
    (home / "token").write_text("one")
    (home / "token").chmod(0o644)
    node = make_node()
    node.token()
    node.token()
    (warning,) = node.status()["warnings"]
    assert "chmod 600" in warning
