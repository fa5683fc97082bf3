"""Each rule of who may speak, attacked over a real socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from tests.running_daemon import running_daemon


def ask(
    running,
    *headers: str,
    path: str = "/api/v2/nodes",
    method: str = "GET",
    connection: str = "close",
) -> int:
    """Send exactly these header lines; the status of the answer."""
    host, port = running.url.removeprefix("http://").split(":")
    lines = [f"{method} {path} HTTP/1.1", *headers, f"Connection: {connection}", "", ""]
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall("\r\n".join(lines).encode("latin-1"))
        with sock.makefile("rb") as answer:
            return int(answer.readline().split()[1])


def authority(running) -> str:
    return running.url.removeprefix("http://")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]:8090", "127.0.0.1:80", "LOCALHOST"]
)
def test_every_name_of_loopback_is_ours(running, host):
    assert ask(running, f"Host: {host}") == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example:8090",
        "",
        "localhost:x",
        "[::1",
        "169.254.169.254",
        "0x7f000001",
        "127.1",
    ],
)
@pytest.mark.parametrize("path", ["/api/v2/nodes", "/health"])
def test_a_name_that_is_rebound_to_us_is_refused(running, host, path):
    assert ask(running, f"Host: {host}", path=path) == 403


def test_two_hosts_are_one_too_many(running):
    assert ask(running, "Host: localhost", "Host: evil.example") in (400, 403)


def test_a_configured_name_is_ours(home):
    with running_daemon(home, hosts=("tap.internal",)) as running:
        assert ask(running, "Host: tap.internal:8090") == 200
        assert ask(running, "Host: other.internal") == 403


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://localhost:3000",
        "https://{own}",
        "http://{own}.evil.example",
        "file://",
    ],
)
@pytest.mark.parametrize("path", ["/api/v2/nodes", "/health"])
def test_a_foreign_page_is_refused(running, origin, path):
    own = authority(running)
    assert ask(running, f"Host: {own}", f"Origin: {origin.format(own=own)}", path=path) == 403


def test_a_page_of_ours_is_answered(running):
    own = authority(running)
    assert ask(running, f"Host: {own}", f"Origin: http://{own}") == 200


def test_two_origins_are_checked_both(running):
    own = authority(running)
    headers = (f"Host: {own}", f"Origin: http://{own}", "Origin: http://evil.example")
    assert ask(running, *headers) == 403


def test_a_header_can_t_say_where_a_request_comes_from(running):
    status, _ = as_stranger(
        running, "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1"
    )
    assert status == 401


STRANGER = """
import http.client, os, socket, sys
host, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
import encodings.idna, encodings.latin_1, encodings.ascii
os.setgroups([]); os.setgid(65533); os.setuid(65533)
sock = socket.create_connection((host, port), timeout=10)
body = sys.argv[4]
lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", f"Host: {host}:{port}", *sys.argv[5:]]
lines += ["Connection: close", f"Content-Length: {len(body)}", "Content-Type: application/json", "", body]
sock.sendall("\\r\\n".join(lines).encode("latin-1"))
answer = b""
while chunk := sock.recv(65536):
    answer += chunk
print(answer.decode("latin-1"))
"""


def as_stranger(
    running, *headers: str, path: str = "/api/v2/nodes", body: str = ""
) -> tuple[int, str]:
    """What a process of another user is answered."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    host, port = authority(running).split(":")
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, host, port, path, body, *headers],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout, done.stderr
    return int(done.stdout.split()[1]), done.stdout


def test_another_user_is_refused_and_told_the_way_out(running):
    status, answer = as_stranger(running)
    assert status == 401
    assert "request-stranger" in answer
    assert "www-authenticate: Bearer" in answer


def test_another_user_may_ask_for_health(running):
    assert as_stranger(running, path="/health")[0] == 200


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: Bearer guess",
        "Authorization: Bearer ",
        "Authorization: Bearer",
        "Authorization: Basic sesame",
        "Authorization: sesame",
        "X-Nothing: 1",
    ],
)
def test_another_user_without_the_token_is_refused(home, header):
    with running_daemon(home, token="sesame") as running:
        assert as_stranger(running, header)[0] == 401


def test_no_token_is_not_an_empty_token(running):
    assert as_stranger(running, "Authorization: Bearer ")[0] == 401


def test_another_user_with_the_token_is_answered(home):
    with running_daemon(home, token="sesame") as running:
        assert as_stranger(running, "Authorization: Bearer sesame")[0] == 200


REGISTER = "/api/v1/connections"


def test_the_token_may_be_in_the_body_of_a_registration_and_nowhere_else(home):
    """As Detrix's clients for Go and Rust have it."""
    right, wrong = '{"token": "sesame"}', '{"token": "sesam"}'
    with running_daemon(home, token="sesame") as running:
        # Let in, and then told what is missing.
        assert as_stranger(running, path=REGISTER, body=right)[0] == 422
        assert as_stranger(running, path=REGISTER, body=wrong)[0] == 401
        assert as_stranger(running, path=REGISTER, body='{"token": 5}')[0] == 401
        assert as_stranger(running, path=REGISTER, body=right + " " * 20_000)[0] == 401
        assert as_stranger(running, path="/api/v1/metrics", body=right)[0] == 401
        # What the header says, is what is said.
        header = "Authorization: Bearer sesam"
        assert as_stranger(running, header, path=REGISTER, body=right)[0] == 401


def test_a_new_token_holds_from_a_reload_on(home):
    (home / "token").write_text("sesame")
    (home / "token").chmod(0o600)
    with running_daemon(home) as running:
        assert as_stranger(running, "Authorization: Bearer sesame")[0] == 200
        (home / "token").write_text("other")
        assert running.client.reload_config()["applied"] == ["token"]
        assert as_stranger(running, "Authorization: Bearer sesame")[0] == 401
        assert as_stranger(running, "Authorization: Bearer other")[0] == 200


def test_what_is_open_is_open_to_everybody_and_exactly_that(home):
    with running_daemon(home, daemon__open_paths=["/api/v2/status"]) as running:
        assert as_stranger(running, path="/api/v2/status")[0] == 200
        assert as_stranger(running, path="/api/v2/status/x")[0] == 401
        assert as_stranger(running, path="/health")[0] == 401


def test_the_token_opens_no_door_for_a_page(home):
    with running_daemon(home, token="sesame") as running:
        own = authority(running)
        headers = (f"Host: {own}", "Origin: http://evil.example", "Authorization: Bearer sesame")
        assert ask(running, *headers) == 403


def test_a_page_s_preflight_is_refused(running):
    own = authority(running)
    headers = (f"Host: {own}", "Origin: http://evil.example", "Access-Control-Request-Method: PUT")
    assert ask(running, *headers, method="OPTIONS") == 403
