from __future__ import annotations

import os

import pytest

from tests.compat.detrix.conftest import ForeignDaemon
from treetap.errors import DaemonError
from treetap.node.registration import Registrar, build_fields


@pytest.fixture
def foreign():
    daemon = ForeignDaemon()
    yield daemon
    daemon.close()


def told(node, foreign):
    registrar = Registrar(node, foreign.url, "secret")
    registrar.check()
    registered = registrar.register(5678)
    registrar.unregister(registered.connection_id)
    (_method, _path, authorization, body), unregistered = foreign.requests
    assert (authorization, unregistered[2]) == ("Bearer secret", "Bearer secret")
    return body


def test_a_daemon_is_told_where_the_debugger_is_and_whose(make_node, foreign, tmp_path):
    node = make_node(name="shop", workspace_root=str(tmp_path))
    body = told(node, foreign)
    assert body["controlPlaneUrl"] == node.control_url()
    assert (body["host"], body["port"], body["name"]) == ("127.0.0.1", 5678, "shop")
    assert (body["workspaceRoot"], body["hostname"]) == (str(tmp_path), os.uname().nodename)
    assert "pid" not in body


def test_treetaps_daemon_is_told_the_pid(make_node, foreign):
    foreign.health = {"service": "detrix", "treetap": {}}
    assert told(make_node(), foreign)["pid"] == os.getpid()


def test_an_address_that_means_all_of_them_is_told_as_one_that_is_reached(make_node, foreign):
    body = told(make_node(control_host="0.0.0.0"), foreign)
    assert body["host"] == "127.0.0.1"  # by a daemon of this machine
    assert "controlPlaneUrl" not in body
    registrar = Registrar(make_node(control_host="0.0.0.0"), "http://10.0.0.1:1", "")
    assert registrar._fields(5678)["host"] == os.uname().nodename


def test_an_advertised_host_is_told(make_node, foreign):
    body = told(make_node(advertise_host="shop.example"), foreign)
    assert body["host"] == "shop.example"
    assert body["controlPlaneUrl"].startswith("http://shop.example:")


def test_what_answers_otherwise_is_no_daemon(make_node, foreign):
    foreign.health = {"service": "another"}
    with pytest.raises(DaemonError) as caught:
        Registrar(make_node(), foreign.url, "").check()
    assert caught.value.slug == "daemon-not-one"


def test_a_refusal_says_the_daemons_own_reason(make_node, foreign):
    foreign.answer = 401, b'{"error": "no token, no entry"}'
    with pytest.raises(DaemonError) as caught:
        Registrar(make_node(), foreign.url, "").register(5678)
    assert caught.value.slug == "daemon-registration"
    assert caught.value.what == "Failed to register connection: HTTP 401 - Unauthorized"
    assert caught.value.hint == "no token, no entry"


def test_an_id_that_is_left_out_is_the_name(make_node, foreign):
    for body in (b"{}", b'{"connectionId": null}', b'{"connectionId": ""}'):
        foreign.answer = 200, body
        registered = Registrar(make_node(name="shop"), foreign.url, "").register(5678)
        assert registered.connection_id == "shop"


@pytest.mark.parametrize(
    ("variables", "fields"),
    [
        ({}, {}),
        ({"CI_COMMIT_SHA": "b", "GITHUB_SHA": "c"}, {"buildCommit": "b"}),
        ({"GIT_TAG": "v1", "GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v2"}, {"buildTag": "v1"}),
        ({"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v2"}, {"buildTag": "v2"}),
        ({"GITHUB_REF_TYPE": "branch", "GITHUB_REF_NAME": "main"}, {}),
    ],
)
def test_what_was_built_is_said_as_far_as_it_is_known(monkeypatch, variables, fields):
    for name in (
        "GIT_COMMIT", "CI_COMMIT_SHA", "GITHUB_SHA",
        "GIT_TAG", "CI_COMMIT_TAG", "GITHUB_REF_TYPE", "GITHUB_REF_NAME",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert build_fields() == fields
