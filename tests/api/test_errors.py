"""The one error shape, for every fault on every surface."""

from __future__ import annotations

import json

import httpx
import pytest

from treetap.api.answer import MAX_BODY_BYTES


@pytest.fixture
def http(running):
    with httpx.Client(base_url=running.url, trust_env=False, timeout=60) as http:
        yield http


def error_of(answer: httpx.Response, status: int) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"slug", "what", "hint"}
    assert body["error"]["what"]
    return body["error"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "slug"),
    [
        ("GET", "/nowhere", None, 404, "request-path"),
        ("GET", "/api/v2/nodes/", None, 404, "request-path"),
        ("GET", "/api/v2/probes/", None, 404, "request-path"),
        ("PUT", "/api/v2/nodes", None, 405, "request-method"),
        ("DELETE", "/api/v2/events", None, 405, "request-method"),
        ("POST", "/api/v2/probes", b"", 400, "request-json"),
        ("POST", "/api/v2/probes", b"{", 400, "request-json"),
        ("POST", "/api/v2/probes", b"[]", 400, "request-json"),
        ("POST", "/api/v2/probes", b"\xff\xfe", 400, "request-json"),
        ("POST", "/api/v2/probes", b"[" * 100_000, 400, "request-json"),
        ("POST", "/api/v2/probes", b"{}", 400, "probe-invalid"),
        ("POST", "/api/v2/probes", b'{"location": "x"}', 400, "location-syntax"),
        (
            "POST",
            "/api/v2/probes",
            b'{"location": "a.py:1", "expressions": ["a +"]}',
            400,
            "expression-syntax",
        ),
        (
            "POST",
            "/api/v2/probes",
            b'{"location": "a.py:1", "expressions": ["open(a)"]}',
            400,
            "expression-unsafe",
        ),
        ("GET", "/api/v2/probes/p1", None, 404, "probe-unknown"),
        ("PATCH", "/api/v2/probes/p1", b"{}", 404, "probe-unknown"),
        ("DELETE", "/api/v2/probes/p1", None, 404, "probe-unknown"),
        ("POST", "/api/v2/probes/p1/enable", None, 404, "probe-unknown"),
        ("PUT", "/api/v2/trees/1-1", b'{"awake": 1}', 400, "request-json"),
        ("GET", "/api/v2/events?limit=x", None, 400, "request-query"),
        ("GET", "/api/v2/events?limit=10001", None, 400, "request-query"),
        ("GET", "/api/v2/events?limit=-1", None, 400, "request-query"),
        ("GET", "/api/v2/events?cursor=x", None, 400, "request-query"),
        ("GET", "/api/v2/events?pid=0", None, 400, "request-query"),
        ("GET", "/api/v2/events?order=up", None, 400, "request-query"),
        ("GET", "/api/v2/events?since=yesterday", None, 400, "request-query"),
        ("GET", "/api/v2/events?until=99999999999999999999999", None, 400, "request-query"),
        ("GET", "/api/v2/events?probe=nobody", None, 404, "probe-unknown"),
        ("GET", "/api/v2/events?where=zz", None, 400, "where-syntax"),
        ("GET", "/api/v2/events?where=zz<1", None, 400, "where-unknown"),
        ("GET", "/api/v2/events/stream?pid=x", None, 400, "request-query"),
        ("GET", "/api/v2/events/stream?probe=p9", None, 404, "probe-unknown"),
    ],
)
def test_a_fault_has_its_status_and_its_slug(http, method, path, body, status, slug):
    error = error_of(http.request(method, path, content=body), status)
    assert error["slug"] == slug


def test_a_method_that_isn_t_taken_tells_which_are(http):
    answer = http.put("/api/v2/nodes")
    assert "GET" in answer.headers["allow"]
    assert "GET" in answer.json()["error"]["hint"]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(http, is_chunked):
    content = b" " * (MAX_BODY_BYTES + 1)
    body = (
        (content[i : i + 65536] for i in range(0, len(content), 65536)) if is_chunked else content
    )
    error = error_of(http.post("/api/v2/probes", content=body), 413)
    assert error["slug"] == "request-size"


def test_a_body_that_breaks_off_harms_nobody(running, http):
    import socket

    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(
            b"POST /api/v2/probes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
        )
    assert http.get("/api/v2/probes").json() == {"probes": []}


def test_a_body_of_just_the_limit_is_read(http):
    body = json.dumps({"location": "a.py:1", "expressions": ["a"]}).encode()
    assert http.post("/api/v2/probes", content=body.ljust(MAX_BODY_BYTES)).status_code == 201


def test_a_fault_of_ours_is_told_without_its_details(running, http):
    del running.daemon.roster
    error = error_of(http.get("/api/v2/nodes"), 500)
    assert error["slug"] == "request-failed"
    assert "roster" not in str(error)


def test_a_name_in_use_and_a_field_that_can_t_change_are_conflicts(http):
    probe = {"location": "a.py:1", "expressions": ["a"], "name": "orders"}
    assert http.post("/api/v2/probes", json=probe).status_code == 201
    assert error_of(http.post("/api/v2/probes", json=probe), 409)["slug"] == "probe-exists"
    changed = http.patch("/api/v2/probes/orders", json={"location": "b.py:1"})
    assert error_of(changed, 409)["slug"] == "probe-fixed"
