from __future__ import annotations

import os
import subprocess
import sys

import pytest

from treetap.node import identity


def test_a_process_knows_itself():
    who = identity.own_identity("shop", {})
    assert (who.name, who.pid) == ("shop", os.getpid())
    assert who.start_ns == identity.process_start_ns(os.getpid()) > 0
    assert who.id == identity.own_id() == who.tree
    assert who.parent == ""
    assert who.host == os.uname().nodename
    assert who.python.count(".") == 2


def test_a_process_of_a_tree_has_a_parent():
    who = identity.own_identity("", {"TREETAP_TREE": "12-ab", "TREETAP_PARENT": "13-cd"})
    assert (who.tree, who.parent) == ("12-ab", "13-cd")


def test_the_root_of_a_tree_has_no_parent():
    environ = {"TREETAP_TREE": identity.own_id(), "TREETAP_PARENT": "13-cd"}
    assert identity.own_identity("", environ).parent == ""


def test_a_process_is_not_its_own_parent():
    environ = {"TREETAP_TREE": "12-ab", "TREETAP_PARENT": identity.own_id()}
    assert identity.own_identity("", environ).parent == ""


@pytest.mark.parametrize(
    "text", ["", "x", "1-", "-1", "1-a/b", "../1-a", "1-a" + "b" * 40, "٣-a", "1-a b"]
)
def test_what_is_no_id_is_not_believed(text):
    assert identity.sound_id(text) == ""
    assert identity.own_identity("", {"TREETAP_TREE": text}).tree == identity.own_id()


def test_two_processes_differ_in_pid_or_start_time():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        start_ns = identity.process_start_ns(other.pid)
        assert start_ns >= identity.process_start_ns(os.getpid())
        assert start_ns == identity.process_start_ns(other.pid)
        other.stdin.close()
        # Until it is waited for it is a zombie: nobody lives there.
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        assert identity.process_start_ns(other.pid) == 0
    assert identity.process_start_ns(other.pid) == 0


def test_the_start_by_ps_is_in_whole_seconds_since_the_epoch():
    try:
        start_ns = identity._start_by_ps_ns(os.getpid())
    except FileNotFoundError:
        start_ns = 0
        assert not os.path.exists("/bin/ps")
    assert start_ns % 1_000_000_000 == 0


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["python", "/srv/shop.py", "-v"], "shop.py"),
        (["python", "-X", "dev", "-W", "error", "shop.py"], "shop.py"),
        (["python", "-B", "-m", "http.server", "80"], "http.server"),
        (["python", "-mhttp.server"], "http.server"),
        (["python", "-Im", "x"], "x"),
        (["python", "-c", "print(1)"], "python"),
        (
            ["python", "-c", "from multiprocessing.spawn import spawn_main; spawn_main()"],
            "multiprocessing",
        ),
        (["python", "/srv/app/"], "app"),
        (["python"], "python"),
        (["python", "-"], "python"),
        ([], "python"),
    ],
)
def test_a_program_is_called_by_what_runs(words, name):
    assert identity.program_name(words) == name
