"""Who a target is."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys

import pytest

from treetap.daemon.language import LANGUAGES
from treetap.daemon.target_identity import (
    Registration,
    checked,
    is_local,
    local_start_ns,
    node_identity,
    target_id,
    tree_of,
)
from treetap.daemon.target_probe import ADAPTERS
from treetap.errors import TargetError
from treetap.node.identity import own_identity
from treetap.store.schema import node_key

HERE = Registration("127.0.0.1", 5678, "python", "trade-bot", "/srv/app", socket.gethostname())


@pytest.mark.parametrize(
    "name", ["trade-bot", "a b/c?d#e", "größe 日本", "..", "-x-", "n" * 300, "%2F", "a_b"]
)
def test_an_id_can_stand_in_a_path_as_it_is(name):
    found = target_id(HERE._replace(name=name))
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._~-]*-[0-9a-f]{12}", found)
    assert len(found) <= 80


def test_an_id_begins_with_its_programs_name():
    assert target_id(HERE).startswith("trade-bot-")


def test_two_workers_of_one_name_have_two_ids_and_two_trees():
    first, second = target_id(HERE), target_id(HERE._replace(port=5679))
    assert first != second
    assert tree_of(first) != tree_of(second)
    assert target_id(HERE) == first


def test_what_a_separator_would_run_together_is_kept_apart():
    one = HERE._replace(name="a|b", workspace_root="c")
    two = HERE._replace(name="a", workspace_root="b|c")
    assert target_id(one)[-12:] != target_id(two)[-12:]


def test_a_process_of_this_machine_is_the_node_that_it_would_be_by_itself():
    own = own_identity("shop", {})
    found = node_identity(HERE, target_id(HERE), os.getpid())
    assert node_key(found) == node_key(own)
    assert (found.id, found.host, found.boot_id) == (own.id, own.host, own.boot_id)
    assert found.tree == tree_of(target_id(HERE))


def test_its_program_is_what_it_was_started_with_less_the_interpreter():
    code = "print(flush=True);input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "shop"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        # Popen returns when the old program is gone; the new one's arguments come a moment later.
        child.stdout.readline()
        found = node_identity(HERE, target_id(HERE), child.pid)
        child.communicate(b"\n", 20)
    assert found.program == f"-c {code} shop"


def test_a_process_of_elsewhere_has_the_pid_that_the_adapter_tells_and_no_more():
    there = HERE._replace(host="10.0.0.7", hostname="vm7")
    found = node_identity(there, target_id(there), os.getpid())
    assert (found.pid, found.host, found.boot_id, found.program) == (os.getpid(), "vm7", "", "")
    assert node_key(found) != node_key(own_identity("shop", {}))
    assert node_key(node_identity(there, target_id(there), 17)) != node_key(found)


def test_a_containers_port_on_loopback_doesnt_make_its_pids_ours():
    assert local_start_ns(HERE, os.getpid()) > 0
    assert local_start_ns(HERE._replace(hostname="3f0c9e5d7a1b"), os.getpid()) == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.3.4", "::1", "[::1]", "0.0.0.0"])
def test_every_address_of_this_machine_is_its_own(host):
    assert is_local(HERE._replace(host=host))


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.invalid", ""])
def test_no_other_address_is(host):
    assert not is_local(HERE._replace(host=host))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", " "),
        ("host", "a\nb"),
        ("port", 0),
        ("port", 65536),
        ("language", "cobol"),
        ("language", ""),
        ("name", ""),
        ("name", "a\x1bb"),
        ("name", "n" * 5000),
        ("workspace_root", "/srv\0/app"),
        ("pid", -1),
    ],
)
def test_a_field_that_cant_be_used_is_named(field, value):
    with pytest.raises(TargetError) as caught:
        checked(HERE._replace(**{field: value}))
    assert caught.value.slug == "target-invalid"
    assert caught.value.hint


def test_a_language_has_one_name():
    assert checked(HERE._replace(language="GoLang")).language == "go"
    assert set(LANGUAGES.values()) == set(ADAPTERS)
    assert checked(HERE._replace(workspace_root="", hostname="")) == HERE._replace(
        workspace_root="", hostname=""
    )
