"""No route of any face forgets to ask who is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import httpx
import pytest
from starlette.routing import Route, WebSocketRoute

from tests.api.validation import complaints
from tests.running_daemon import running_daemon
from treetap.api.openapi import document

DOCUMENT = document("1")

#: Asks one request after another as a user who is nobody; prints the answers.
STRANGER = """
import encodings.idna, encodings.latin_1, http.client, json, os, sys
requests = json.load(sys.stdin)
os.setgroups([]); os.setgid(65533); os.setuid(65533)
answers = []
for method, path, headers in requests["requests"]:
    connection = http.client.HTTPConnection("127.0.0.1", requests["port"], timeout=30)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    answers.append([answer.status, answer.getheader("www-authenticate"), answer.read().decode()])
    connection.close()
print(json.dumps(answers))
"""
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def asked(running) -> list[tuple[str, str, dict[str, str]]]:
    """A request of each route that there is, but for the open one."""
    found = []
    for route in running.server.config.app.routes:
        path = route.path.format_map(
            {
                "tree": "1",
                "probe": "p1",
                "metric": "1",
                "connection": "c",
                "group": "g",
                "target": "t",
            }
        )
        if isinstance(route, WebSocketRoute):
            found.append(("GET", path, UPGRADE))
        elif isinstance(route, Route) and path != "/health":
            found += [(method, path, {}) for method in sorted(route.methods or ())]
    return found


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with running_daemon(tmp_path_factory.mktemp("home"), token="sesame") as running:
        yield running


def as_stranger(running, requests) -> list[tuple[int, str | None, str]]:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    port = int(running.url.rpartition(":")[2])
    done = subprocess.run(
        [sys.executable, "-c", STRANGER],
        input=json.dumps({"port": port, "requests": requests}),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout, done.stderr
    return [tuple(each) for each in json.loads(done.stdout)]


def test_the_faces_are_all_there(running):
    paths = {path for _method, path, _headers in asked(running)}
    assert {"/ws", "/mcp", "/metrics", "/status", "/api/v1/metrics", "/api/v2/probes"} <= paths


def test_every_route_asks_another_user_for_the_token_in_the_shape_of_its_face(running):
    requests = asked(running)
    answers = as_stranger(running, requests)
    for (method, path, _headers), (status, asks_for, text) in zip(requests, answers, strict=True):
        assert (status, asks_for) == (401, "Bearer"), (method, path)
        if method != "HEAD":
            face = "Error" if path.startswith("/api/v2/") else "Fault"
            shape = {"$ref": f"#/components/schemas/{face}"}
            assert complaints(json.loads(text), shape, DOCUMENT) == [], path


def test_every_route_lets_another_user_in_who_has_the_token(running):
    requests = [
        (method, path, {**headers, "Authorization": "Bearer sesame"})
        for method, path, headers in asked(running)
        # What is said there ends the daemon, or never ends.
        if path not in ("/api/v2/shutdown", "/api/v2/events/stream", "/ws")
    ]
    statuses = {status for status, _asks_for, _text in as_stranger(running, requests)}
    assert statuses
    assert not statuses & {401, 403, 500}


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}],
    ids=["a page", "a rebound name", "a page of nowhere"],
)
def test_every_route_refuses_a_web_page(running, headers):
    with httpx.Client(base_url=running.url, trust_env=False, timeout=60) as http:
        for path in ["/health", *(path for _method, path, _headers in asked(running))]:
            for method, upgrade in (("GET", {}), ("POST", {}), ("OPTIONS", {}), ("GET", UPGRADE)):
                answer = http.request(method, path, headers={**upgrade, **headers})
                assert answer.status_code == 403, (method, path)
                assert "access-control-allow-origin" not in answer.headers
