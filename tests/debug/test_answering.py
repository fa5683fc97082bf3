from __future__ import annotations

import pytest

from treetap.debug.answering import choose
from treetap.debug.standing import HOLDING, WAITING, Standing
from treetap.errors import PauseError


def one(pid, name, state=WAITING, since_s=0.0, by=""):
    return Standing(pid, f"{name} ({pid})", state, 0, since_s, by, pid, "tree", "tree.x")


def test_who_has_waited_longest_is_answered_first():
    found = [one(1, "a", HOLDING, 9), one(2, "b", since_s=2), one(3, "b", since_s=3)]
    assert choose(found, "").pid == 3
    assert choose(found, "b").pid == 3


@pytest.mark.parametrize("node", ["a", "2", "a (2)"])
def test_a_process_is_chosen_by_name_or_pid(node):
    assert choose([one(1, "b", since_s=9), one(2, "a")], node).pid == 2


def test_nobody_who_waits_is_said():
    for node in ("", "c"):
        with pytest.raises(PauseError) as caught:
            choose([one(1, "a")] if node else [], node)
        assert caught.value.slug == "pause-unknown"


def test_who_holds_is_not_answered_and_it_is_said_where_it_is():
    for by, where in (("ann on /dev/pts/1 (9)", "ann on /dev/pts/1 (9)"), ("", "its tree")):
        with pytest.raises(PauseError, match="answered already") as caught:
            choose([one(1, "a", HOLDING, by=by)], "a")
        assert caught.value.slug == "pause-taken"
        assert where in caught.value.line
