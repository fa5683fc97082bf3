from __future__ import annotations

import socket

import pytest

from tests.link.fake_daemon import FakeDaemon
from treetap.errors import DaemonError
from treetap.link.discovery import _link_of, find_link


def refusal(url) -> DaemonError:
    with pytest.raises(DaemonError) as caught:
        find_link(url, timeout_s=30)
    return caught.value


def test_a_daemons_link_is_found_by_its_url(tmp_path):
    with FakeDaemon(tmp_path) as daemon:
        assert find_link(daemon.url) == daemon.link


def test_no_token_is_sent_to_find_a_link(tmp_path):
    with FakeDaemon(tmp_path, token="t") as daemon:
        find_link(daemon.url)
        assert "authorization" not in daemon.requests[0].headers


def test_nobody_there_says_how_to_start_a_daemon():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = refusal(f"http://127.0.0.1:{port}")
    assert error.slug == "daemon-unreachable"
    assert "treetap daemon start" in error.hint


def test_a_server_that_never_answers_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(DaemonError):
            find_link(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.1)


@pytest.mark.parametrize("health", [{}, {"service": "other"}, [], "ok", None])
def test_something_else_on_the_port_is_no_daemon(tmp_path, health):
    with FakeDaemon(tmp_path) as daemon:
        daemon.health = health
        assert refusal(daemon.url).slug == "daemon-not-one"


@pytest.mark.parametrize("ours", [None, {}, {"link": None}, []])
def test_detrixs_own_daemon_is_told_apart(tmp_path, ours):
    with FakeDaemon(tmp_path) as daemon:
        daemon.health = {"service": "detrix", "status": "ok", "treetap": ours}
        assert refusal(daemon.url).slug == "daemon-foreign"


def test_a_daemon_on_another_machine_is_reached_by_the_name_in_its_url():
    health = {"treetap": {"link": {"unix": "/run/d.sock", "host": "127.0.0.1", "port": 4000}}}
    found = _link_of(health, "http://daemon.example:8090")
    assert found == {"host": "daemon.example", "port": 4000}


def test_a_daemon_may_name_another_host_for_its_link():
    health = {"treetap": {"link": {"host": "link.example", "port": 4000}}}
    assert _link_of(health, "http://daemon.example:8090")["host"] == "link.example"
