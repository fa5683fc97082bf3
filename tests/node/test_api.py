from __future__ import annotations

import os

import pytest

import treetap
from tests.conftest import wait_until
from treetap.errors import ConfigError, StateError
from treetap.node import api, birth, identity


@pytest.fixture(autouse=True)
def empty_slot(home, monkeypatch):
    for name in ("TREETAP_TREE", "TREETAP_PARENT", "TREETAP_NAME"):
        monkeypatch.delenv(name, raising=False)
    yield
    treetap.shutdown()


def test_before_init_there_is_a_status_and_nothing_to_wake():
    status = treetap.status()
    assert (status["state"], status["name"], status["control_port"]) == ("sleeping", "", 0)
    assert treetap.sleep() == {"status": "already_sleeping"}
    treetap.shutdown()
    with pytest.raises(StateError) as caught:
        treetap.wake()
    assert caught.value.slug == "state-not-initialized"


def test_init_makes_a_node_once():
    treetap.init(name="shop")
    assert treetap.status()["name"] == "shop"
    with pytest.raises(ConfigError, match="already initialized") as caught:
        treetap.init()
    assert caught.value.slug == "config-already-initialized"
    assert treetap.status()["name"] == "shop"


def test_after_a_shutdown_init_may_follow():
    treetap.init(name="one")
    treetap.shutdown()
    treetap.shutdown()
    treetap.init(name="two")
    assert treetap.status()["name"] == "two"


def test_a_failed_init_leaves_the_slot_empty():
    with pytest.raises(ConfigError):
        treetap.init(control_port="x")
    treetap.init()


def test_the_name_is_the_programs_if_none_is_given():
    treetap.init()
    assert treetap.status()["name"] == identity.program_name()


def test_init_says_nothing_to_anybody(capfd):
    treetap.init(daemon_url="http://127.0.0.1:1")
    treetap.shutdown()
    assert capfd.readouterr() == ("", "")


def test_init_takes_the_place_of_the_start_up_hooks_node(monkeypatch):
    monkeypatch.setenv("TREETAP_TREE", "12-ab")
    monkeypatch.setenv("TREETAP_PARENT", "13-cd")
    hooked = birth.begin()
    assert hooked is api.slot.node
    treetap.init(name="shop")
    status = treetap.status()
    assert (status["name"], status["tree"], status["parent"]) == ("shop", "12-ab", "13-cd")
    wait_until(lambda: hooked.thread_count == 0)
    with pytest.raises(ConfigError):
        treetap.init()


def test_what_the_program_starts_finds_the_tree_and_only_while_there_is_a_node():
    before = dict(os.environ)
    treetap.init()
    assert os.environ["TREETAP_TREE"] == treetap.status()["tree"]
    assert os.environ["TREETAP_PARENT"] == treetap.status()["id"]
    treetap.shutdown()
    assert dict(os.environ) == before


def test_children_are_left_alone_if_they_shall_be():
    before = dict(os.environ)
    treetap.init(follow_children=False)
    assert dict(os.environ) == before


def test_every_setting_is_an_argument_of_init():
    import inspect

    from treetap.config.settings import SETTINGS

    assert list(inspect.signature(treetap.init).parameters) == list(SETTINGS)
