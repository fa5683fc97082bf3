"""Which daemon a command speaks to."""

from __future__ import annotations

import ssl
import threading

import pytest

from tests.running_daemon import running_daemon
from treetap.cli import session
from treetap.client import DaemonClient
from treetap.config.settings import resolve
from treetap.errors import ConfigError, DaemonError

#: Of a network for documentation: nobody is there, ever.
ELSEWHERE = "http://192.0.2.1:8090"


def settings(home, **arguments):
    return resolve({"home": str(home), "health_check_timeout": 60, **arguments}, {})


def refusal(function, *args) -> str:
    with pytest.raises(DaemonError) as caught:
        function(*args)
    return caught.value.slug


@pytest.fixture
def empty(tmp_path):
    path = tmp_path / "empty"
    path.mkdir(mode=0o700)
    return path


def test_the_daemon_of_the_home_comes_first(home):
    with running_daemon(home) as running:
        with session.running_daemon(settings(home, daemon_url=ELSEWHERE)) as client:
            assert client.url == running.url
        with session.started_daemon(settings(home)) as client:
            assert client.url == running.url


def test_another_home_s_daemon_is_spoken_to_where_it_is_named(home, empty):
    with running_daemon(home) as running:
        named = settings(empty, daemon_url=running.url)
        for find in (session.running_daemon, session.required_daemon, session.started_daemon):
            with find(named) as client:
                assert client.url == running.url
        # But it isn't this home's: it is not this home's commands that stop it.
        assert session.home_daemon(named) is None
        assert session.running_daemon(settings(empty)) is None
    assert session.running_daemon(named) is None
    assert refusal(session.required_daemon, named) == "daemon-absent"


def test_a_daemon_on_another_machine_is_not_started_here(empty):
    named = settings(empty, daemon_url=ELSEWHERE, health_check_timeout=0.1)
    assert session.running_daemon(named) is None
    assert refusal(session.required_daemon, named) == "daemon-unreachable"
    assert refusal(session.started_daemon, named) == "daemon-unreachable"
    assert not (empty / "run").exists()


def test_the_token_of_the_setting_or_of_the_home_is_sent(home, empty):
    (empty / "token").write_text("sesame\n")
    (empty / "token").chmod(0o600)
    with running_daemon(home) as running:
        for named, token in (
            (settings(empty, daemon_url=running.url), "sesame"),
            (settings(empty, daemon_url=running.url, token="other"), "other"),
        ):
            with session.required_daemon(named) as client:
                assert client._http.headers["authorization"] == f"Bearer {token}"


def test_a_file_without_certificates_is_told(home):
    (home / "none.pem").write_text("nothing")
    named = settings(home, daemon_url="https://localhost:1", ca_bundle=str(home / "none.pem"))
    with pytest.raises(ConfigError, match="ca_bundle"):
        session.running_daemon(named)


@pytest.fixture
def https(tmp_path):
    """A server that speaks TLS with a certificate that nobody has signed; URL and certificate."""
    import subprocess
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"treetap": {}}')

        def log_message(self, *args) -> None:
            pass

    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *args: None
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://localhost:{server.server_port}", str(certificate)
        server.shutdown()
        thread.join()


def test_a_certificate_is_checked_unless_that_is_turned_off(https):
    url, certificate = https
    with DaemonClient(url) as client:
        assert refusal(client.health) == "daemon-unreachable"
    for trusting in ({"verify_ssl": False}, {"ca_bundle": certificate}):
        with DaemonClient(url, **trusting) as client:
            assert client.health() == {"treetap": {}}
