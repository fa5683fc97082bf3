from __future__ import annotations

import os

from treetap.node import identity, launch


def test_the_environment_names_tree_home_and_start_up_directory():
    base = {"PATH": "/bin", "PYTHONPATH": "/a:/b", "TREETAP_PARENT": "1-a"}
    changed = launch.environment(base, home="/h", tree="12-ab", name="shop")
    assert changed["TREETAP_TREE"] == "12-ab"
    assert changed["TREETAP_HOME"] == "/h"
    assert changed["TREETAP_NAME"] == "shop"
    assert changed["PATH"] == "/bin"
    assert "TREETAP_PARENT" not in changed
    assert changed["PYTHONPATH"] == f"{launch.startup_directory()}:/a:/b"
    assert os.listdir(launch.startup_directory())
    assert base["PYTHONPATH"] == "/a:/b"


def test_who_is_about_to_exec_is_the_root_of_a_new_tree():
    base = {"TREETAP_TREE": "12-ab", "TREETAP_PARENT": "1-a"}
    assert launch.environment(base, home="/h")["TREETAP_TREE"] == identity.own_id()


def test_the_start_up_directory_is_there_once():
    once = launch.environment({}, home="/h", tree="12-ab")
    twice = launch.environment(once, home="/h", tree="12-ab", parent="7-a")
    assert twice["PYTHONPATH"] == launch.startup_directory()
    assert twice["TREETAP_PARENT"] == "7-a"


def test_an_export_is_taken_back(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/mine")
    monkeypatch.delenv("TREETAP_TREE", raising=False)
    before = dict(os.environ)
    export = launch.Export()
    export.put(identity.own_identity("shop", {}), "/h")
    assert os.environ["TREETAP_PARENT"] == identity.own_id()
    export.take_back()
    assert dict(os.environ) == before
    export.take_back()


def test_what_the_program_changed_since_is_left_alone(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/mine")
    export = launch.Export()
    export.put(identity.own_identity("shop", {}), "/h")
    os.environ["PYTHONPATH"] = "/theirs"
    export.take_back()
    assert os.environ["PYTHONPATH"] == "/theirs"
