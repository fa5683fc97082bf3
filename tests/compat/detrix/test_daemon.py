from __future__ import annotations

import json
import logging

import pytest

from treetap.compat import detrix
from treetap.compat.detrix import daemon

pytestmark = pytest.mark.usefixtures("bare_environment")


@pytest.fixture
def client(foreign_daemon):
    with detrix.HttpDaemonClient(foreign_daemon.url + "//") as client:
        yield client


def test_a_registration_is_answered_in_the_form_of_either_version(client, foreign_daemon):
    foreign_daemon.answer = 200, b'{"connectionId": "c-1", "advertiseUrl": "http://there:1"}'
    registered = client.register("here", 5678, "shop")
    connection_id, advertise_url = registered
    assert (connection_id, advertise_url) == ("c-1", "http://there:1")
    assert (registered[0], registered[1]) == ("c-1", "http://there:1")
    assert registered == "c-1"
    assert f"{registered}/{registered!s}" == "c-1/c-1"
    assert json.dumps({"id": registered}) == '{"id": "c-1"}'
    assert type(connection_id) is str


def test_what_a_registration_says(client, foreign_daemon, bare_environment, tmp_path):
    bare_environment.chdir(tmp_path)
    bare_environment.setenv("GIT_COMMIT", "abc")
    client.register("here", 5678, "shop", "secret", control_plane_url="http://here:1")
    ((method, path, authorization, body),) = foreign_daemon.requests
    assert (method, path, authorization) == ("POST", "/api/v1/connections", "Bearer secret")
    assert body.pop("hostname")
    assert body == {
        "host": "here",
        "port": 5678,
        "language": "python",
        "name": "shop",
        "workspaceRoot": str(tmp_path),
        "controlPlaneUrl": "http://here:1",
        "buildCommit": "abc",
    }


@pytest.mark.parametrize("token", ["a\r\nx-injected: 1", "a\nb"])
def test_a_token_that_would_end_its_header_is_not_sent(client, foreign_daemon, token):
    client.register("here", 5678, "shop", token)
    assert foreign_daemon.requests[0][2] is None


def test_a_token_that_is_no_latin_text_is_none_of_the_headers_business(client, foreign_daemon):
    client.register("here", 5678, "shop", "schlüssel")
    assert foreign_daemon.requests[0][2]


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"connectionId": 5}', b"\xff"])
def test_a_malformed_answer_is_a_daemon_error(client, foreign_daemon, body):
    foreign_daemon.answer = 200, body
    with pytest.raises(detrix.DaemonError, match=r"^Failed to register connection"):
        client.register("here", 5678, "shop")


def test_a_refusal_has_the_status_in_words_and_the_reason_behind_it(client, foreign_daemon):
    foreign_daemon.answer = 500, b'{"error": "the debugger refused"}'
    with pytest.raises(detrix.DaemonError) as caught:
        client.register("here", 5678, "shop")
    text = "Failed to register connection: HTTP 500 - Internal Server Error"
    assert str(caught.value) == text
    assert "the debugger refused" in str(caught.value.__cause__)


def test_an_advertised_url_is_one_or_none(client, foreign_daemon):
    assert client.fetch_advertise_url() is None
    for given, told in {"": None, "nonsense": None, "https://there": "https://there"}.items():
        foreign_daemon.health = {"service": "detrix", "advertiseUrl": given}
        assert client.fetch_advertise_url() == told


def test_what_isnt_a_daemon_is_not_healthy(client, foreign_daemon, caplog):
    assert client.health_check() is True
    foreign_daemon.health = {"service": "another"}
    with caplog.at_level(logging.DEBUG, logger="detrix.daemon"):
        assert client.health_check() is False
        assert daemon.check_daemon_health("http://127.0.0.1:1") is False
        assert daemon.check_daemon_health("nonsense") is False
    assert [record.message[:19] for record in caplog.records] == ["Health check failed"] * 3


def test_to_unregister_is_best_effort(client, foreign_daemon):
    client.unregister("a/b?c", "secret")
    expected = ("DELETE", "/api/v1/connections/a%2Fb%3Fc", "Bearer secret", None)
    assert foreign_daemon.requests == [expected]
    daemon.unregister_connection("http://127.0.0.1:1", "a", None)
    daemon.unregister_connection("nonsense", "a", None)


def test_a_closed_client_says_so(foreign_daemon):
    client = detrix.HttpDaemonClient(foreign_daemon.url)
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.health_check()


def test_a_bundle_that_isnt_there_is_found_out_at_once():
    with pytest.raises(detrix.ConfigError, match=r"^CA bundle not found: /nowhere/ca.pem$"):
        detrix.HttpDaemonClient("https://127.0.0.1:1", ca_bundle="/nowhere/ca.pem")


def test_the_client_is_a_daemon_client(client):
    assert isinstance(client, detrix.DaemonClient)
