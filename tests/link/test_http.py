from __future__ import annotations

import socket
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treetap.errors import LinkError
from treetap.link import http


def read(content: bytes, *, timeout_s=5.0, is_ended=True, **limits) -> http.Request:
    """Read a request from a peer that sent ``content``."""
    near, far = socket.socketpair()
    with near, far:
        sender = threading.Thread(target=_send, args=(far, content, is_ended))
        sender.start()
        try:
            return http.read_request(near, time.monotonic() + timeout_s, **limits)
        finally:
            near.close()
            sender.join()


def _send(sock, content, is_ended):
    try:
        sock.sendall(content)
        if is_ended:
            sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def slug_of(content: bytes, **options) -> str:
    with pytest.raises(LinkError) as caught:
        read(content, **options)
    return caught.value.slug


def test_a_request_is_read():
    request = read(
        b"POST /treetap/wake?x=1&y=%20 HTTP/1.1\r\nHost: a\r\nX-A:  b \r\nx-a: c\r\n"
        b"Content-Length: 4\r\n\r\nbodyEXTRA"
    )
    assert (request.method, request.path, request.query) == ("POST", "/treetap/wake", "x=1&y=%20")
    assert request.headers == {"host": "a", "x-a": "b, c", "content-length": "4"}
    assert request.body == b"body"


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/2.0",
        b"GET  / HTTP/1.1",
        b"get / HTTP/1.1",
        b"GET /",
        b"GET http://a/ HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"G" * 20 + b" / HTTP/1.1",
        b"GET / HTTP/1.1\r\n folded: x",
        b"GET / HTTP/1.1\r\nHost",
        b"GET / HTTP/1.1\r\nHo st: a",
        b"GET / HTTP/1.1\r\nHost : a",
        b"GET / HTTP/1.1\r\n: a",
        b"GET / HTTP/1.1\r\nA: b\nC: d",
        b"GET / HTTP/1.1\r\nA: b\0",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
        b"GET / HTTP/1.1\r\nContent-Length: -1",
        b"GET / HTTP/1.1\r\nContent-Length: +1",
        b"GET / HTTP/1.1\r\nContent-Length: 0x1",
        b"GET / HTTP/1.1\r\nContent-Length: 1, 1",
        b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 19,
        "GET / HTTP/1.1\r\nContent-Length: ٣".encode(),
        b"",
    ],
)
def test_a_malformed_request_is_refused(head):
    assert slug_of(head + b"\r\n\r\n") == http.MALFORMED


def test_a_chunked_body_is_not_understood():
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert slug_of(head) == http.UNSUPPORTED


def test_what_is_too_large_is_refused_before_it_is_read():
    head = b"POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n"
    assert slug_of(head, is_ended=False) == http.TOO_LARGE
    assert slug_of(b"GET /" + b"a" * 20_000, is_ended=False) == http.TOO_LARGE
    assert slug_of(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n") == http.TOO_LARGE
    assert slug_of(b"GET / HTTP/1.1\r\nA: " + b"b" * 17_000 + b"\r\n\r\n") == http.TOO_LARGE


def test_a_body_may_be_as_large_as_the_limit():
    content = b"x" * http.MAX_BODY_BYTES
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(content)
    assert read(head + content).body == content


def test_a_connection_that_ends_too_early_is_closed():
    assert slug_of(b"") == "link-closed"
    assert slug_of(b"GET / HT") == "link-closed"
    assert slug_of(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nbody") == "link-closed"


def test_a_peer_that_drips_is_cut_off_by_the_deadline_for_the_whole():
    near, far = socket.socketpair()
    is_over = threading.Event()

    def drip():
        try:
            far.sendall(b"GET / HTTP/1.1\r\n")
            while not is_over.wait(0.01):
                far.sendall(b"a")
        except OSError:
            pass

    with near, far:
        dripping = threading.Thread(target=drip)
        dripping.start()
        before = time.monotonic()
        with pytest.raises(LinkError) as caught:
            http.read_request(near, time.monotonic() + 0.3)
        taken_s = time.monotonic() - before
        is_over.set()
        dripping.join()
    assert caught.value.slug == http.TOO_SLOW
    assert taken_s < 3


def test_a_client_that_asks_first_is_told_to_go_on():
    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        answers = []

        def answer():
            answers.append(far.recv(100))
            far.sendall(b"ok")

        thread = threading.Thread(target=answer)
        thread.start()
        assert http.read_request(near, time.monotonic() + 5).body == b"ok"
        thread.join()
    assert answers == [b"HTTP/1.1 100 Continue\r\n\r\n"]


ALPHABET = st.sampled_from(
    [b"GET ", b"POST ", b"/", b" HTTP/1.1", b"\r\n", b"\r", b"\n", b":", b" ", b"host", b"a: b",
     b"content-length: ", b"3", b"transfer-encoding: chunked", b"\0", b"\xff", b"\r\n\r\n", b"{}"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(ALPHABET, max_size=30).map(b"".join) | st.binary(max_size=300))
def test_no_bytes_of_a_peer_raise_anything_but_a_link_error(content):
    try:
        request = read(content)
    except LinkError as exc:
        assert exc.slug in {*http.STATUS, "link-closed"}
    else:
        assert request.path.startswith("/")


@settings(max_examples=200, deadline=None)
@given(st.lists(ALPHABET | st.just(b"HTTP/1.1 200 OK\r\n"), max_size=30).map(b"".join))
def test_no_bytes_of_a_server_raise_anything_but_a_link_error(content):
    near, far = socket.socketpair()
    with near, far:
        far.sendall(content)
        far.shutdown(socket.SHUT_WR)
        try:
            answer = http._read_response(near, time.monotonic() + 5)
        except LinkError:
            return
        assert 0 <= answer.status <= 999


class Server:
    """Answers one connection with ``content``; keeps what was asked."""

    def __init__(self, content: bytes, *, is_hanging=False):
        self.content = content
        self.is_hanging = is_hanging
        self.asked = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()

    def _serve(self):
        try:
            sock, _address = self.listener.accept()
        except OSError:
            return
        with sock:
            self.asked = sock.recv(65536)
            sock.sendall(self.content)
            if self.is_hanging:
                self.over.wait(10)


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\nX-A: b\r\n\r\nbodyEXTRA",
        b"HTTP/1.0 201 Created\r\nX-A: b\r\n\r\nbody",
        b"HTTP/1.1 201\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nbod\r\n1\r\ny\r\n0\r\n\r\n",
    ],
)
def test_an_answer_is_read_whichever_way_it_ends(content):
    with Server(content) as server:
        answer = http.request(
            f"{server.url}/a?b", "POST", timeout_s=5, body=b"{}", headers={"x-c": "d"}
        )
    assert (answer.status, answer.body, answer.headers["x-a"]) == (201, b"body", "b")
    assert server.asked.startswith(b"POST /a?b HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"\r\nx-c: d\r\n" in server.asked
    assert server.asked.endswith(b"\r\n\r\n{}")


def test_a_server_that_hangs_is_unreachable_in_time():
    with Server(b"HTTP/1.1 200 OK\r\n", is_hanging=True) as server:
        with pytest.raises(LinkError) as caught:
            http.request(server.url, timeout_s=0.1)
    assert caught.value.slug == "link-unreachable"


@pytest.mark.parametrize(
    "content",
    [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nA\r\n\r\n",
     b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
)  # fmt: skip
def test_an_answer_that_is_no_http_is_refused(content):
    with Server(content) as server:
        with pytest.raises(LinkError) as caught:
            http.request(server.url, timeout_s=5)
    assert caught.value.slug == http.MALFORMED


def test_an_answer_that_is_too_large_is_refused():
    with Server(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n") as server:
        with pytest.raises(LinkError) as caught:
            http.request(server.url, timeout_s=5)
    assert caught.value.slug == http.TOO_LARGE


def test_proxies_of_the_environment_are_not_asked(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with Server(b"HTTP/1.1 204 No Content\r\n\r\n") as server:
        assert http.request(server.url, timeout_s=5).status == 204


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://a", ("http", "a", 80, "/")),
        ("https://a/b?c", ("https", "a", 443, "/b?c")),
        ("http://a:8/b", ("http", "a", 8, "/b")),
        ("http://[::1]:8", ("http", "::1", 8, "/")),
        ("http://[::1]/x", ("http", "::1", 80, "/x")),
    ],
)
def test_a_url_is_split(url, parts):
    assert http.split_url(url) == parts


def test_an_answer_says_that_the_connection_ends():
    near, far = socket.socketpair()
    with near, far:
        response = http.Response(418, b"tea", {"x-a": "b\u2026"})
        http.write_response(near, response, time.monotonic() + 5)
        assert far.recv(1000) == (
            b"HTTP/1.1 418 Unknown\r\nx-a: b?\r\ncontent-length: 3\r\nconnection: close\r\n\r\ntea"
        )


def test_an_answer_that_nobody_reads_is_given_up():
    near, far = socket.socketpair()
    with near, far:
        with pytest.raises(LinkError) as caught:
            http.write_response(near, http.Response(200, bytes(9_000_000)), time.monotonic() + 0.1)
    assert caught.value.slug == http.TOO_SLOW
