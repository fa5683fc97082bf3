from __future__ import annotations

import pytest

from treetap.cli import choice
from treetap.debug.standing import WAITING, Standing
from treetap.errors import ControlPlaneError
from treetap.model.node import NodeIdentity
from treetap.node.lineage import Member
from treetap.node.registry import LiveNode


def member(pid, name, parent=0):
    node = LiveNode(NodeIdentity(name=name, pid=pid, start_ns=1, tree="1-1"), "127.0.0.1", 1)
    made = Member(pid, node, None)
    made.tree, made.parent = "1-1", parent
    return made


MEMBERS = [member(1, "three.py"), member(2, "w1", 1), member(3, "three.py", 2), member(4, "w", 1)]
STANDINGS = {
    pid: [Standing(pid, f"{label} ({pid})", WAITING, 1, 0.0, "", 0, "1-1", "1-1")]
    for pid, label in ((3, "w0"), (2, "big"), (4, "w1"), (9, "x"))
}


def chosen(*words):
    return [found.pid for found in choice.chosen(MEMBERS, list(words), STANDINGS)]


def test_a_process_is_found_by_what_its_prompt_calls_it():
    assert chosen("w0") == [3]
    assert chosen("w0 (3)", "4") == [3, 4]
    assert chosen("big") == [2, 3]  # with all below it


def test_the_name_of_a_node_is_that_nodes_whoever_else_is_called_so_at_a_prompt():
    assert chosen("w1") == [2, 3]


def test_who_is_at_no_prompt_and_who_is_of_no_tree_is_not_found_by_a_prompts_name():
    for word in ("x", "w2"):
        with pytest.raises(ControlPlaneError) as caught:
            chosen(word)
        assert caught.value.slug == "node-unknown"
    with pytest.raises(ControlPlaneError):
        choice.chosen(MEMBERS, ["w0"])
