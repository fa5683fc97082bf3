from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from treetap.daemon.tree import Trees, is_alive, process_start_ns, root_pid


def tree_of(pid: int) -> str:
    return f"{pid}-{process_start_ns(pid):x}"


@pytest.fixture
def child():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")


@needs_proc
def test_a_tree_whose_root_dies_is_dropped(child):
    tree = tree_of(child.pid)
    trees = Trees([tree])
    assert trees.awake == [tree]
    child.kill()
    child.wait()
    assert trees.prune()
    assert trees.awake == []
    assert not trees.prune()


@needs_proc
def test_a_zombie_is_dead(child):
    tree = tree_of(child.pid)
    child.kill()
    # Not waited for: its entry is still in /proc.
    import os

    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(tree)


@needs_proc
def test_a_recycled_pid_is_not_taken_for_the_old_process(child):
    assert is_alive(tree_of(child.pid))
    assert not is_alive(f"{child.pid}-1")


@pytest.mark.parametrize("tree", ["", "x", "-", "0-0", "99999999999-1", "٣-1"])
def test_what_is_no_tree_is_not_alive(tree):
    assert not is_alive(tree)


def test_setting_tells_whether_it_is_news():
    trees = Trees([])
    assert trees.set("1-2", awake=True)
    assert not trees.set("1-2", awake=True)
    assert trees.set("1-2", awake=False)
    assert not trees.set("1-2", awake=False)


def test_the_root_s_pid_is_in_the_tree_s_id():
    assert root_pid("4711-3fab") == 4711
    assert root_pid("nonsense") == 0


@needs_proc
def test_the_start_of_a_process_is_what_its_node_says_of_it(child):
    from treetap.node import identity

    assert process_start_ns(child.pid) == identity.process_start_ns(child.pid)
    assert process_start_ns(2**22 + 1) == 0
