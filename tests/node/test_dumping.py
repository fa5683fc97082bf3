from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tests.conftest import wait_until
from treetap.config.settings import resolve
from treetap.node import dumping
from treetap.node.core import Node


@pytest.fixture
def node(home, monkeypatch):
    for name in ("TREETAP_TREE", "TREETAP_PARENT"):
        monkeypatch.delenv(name, raising=False)
    made = Node(resolve({"name": "shop"}))
    made.open()
    yield made
    made.shutdown()


def test_a_signal_that_came_before_a_dump_was_over_has_been_answered_by_it(
    node, capfd, monkeypatch
):
    monkeypatch.setattr(dumping, "COALESCING_S", 60.0)
    title = f"== shop ({os.getpid()}), depth 0"
    asked_s = time.monotonic()
    dumping.dump_tree(node, asked_s)
    assert capfd.readouterr().err.count(title) == 1
    dumping.dump_tree(node, asked_s)
    dumping.dump_tree(node, time.monotonic())
    assert title not in capfd.readouterr().err
    dumping.dump_tree(node, time.monotonic() + dumping.COALESCING_S)
    assert capfd.readouterr().err.count(title) == 1
    assert node.faults.to_list() == []


def test_another_tree_and_a_time_before_the_machine_started_do_not_count(node, capfd, home):
    (home / "run").mkdir(exist_ok=True)
    later_s = time.monotonic() + 1000
    for content in (
        f"12-ab {time.monotonic()}",
        f"{node.identity.tree} {later_s}",
        "nonsense",
        "x y",
    ):
        (home / "run" / "dump.lock").write_text(content)
        dumping.dump_tree(node, time.monotonic())
        assert capfd.readouterr().err.count("== shop (") == 1


def test_a_dump_that_cannot_be_written_is_a_fault_and_harms_no_file(home):
    program = (
        "import os, time, treetap\n"
        "from treetap.node.api import slot\n"
        "treetap.init()\n"
        "os.close(2)\n"
        "slot.node._dump(time.monotonic())\n"
        "print([fault['where'] for fault in treetap.status()['faults']])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (0, "['a dump']\n")
    assert not (home / "run" / "dump.lock").exists()


def test_the_control_plane_tells_what_the_process_does(node):
    from treetap.node import registry, treedump

    (live,) = wait_until(lambda: registry.live_nodes(node.settings.home))
    found = treedump.ask(live, "")
    assert found["faults"] == []
    places = [frame for thread in found["threads"] for frame in thread["frames"]]
    here = test_the_control_plane_tells_what_the_process_does
    assert [__file__, here.__code__.co_qualname] in [[file, name] for file, _line, name in places]
