"""Who is held: the spawner's view of a family, with a broker whose parties are these processes."""

from __future__ import annotations

import fcntl
import subprocess
import sys

import pytest

from tests.fake_broker import FakeBroker
from treetap.actor.family import Family, Member
from treetap.actor.guard import Deferral, Guard

TREE = "4711-abc"


@pytest.fixture
def broker(tmp_path):
    made = FakeBroker(tmp_path, TREE)
    yield made
    made.close()


@pytest.fixture
def sleeper():
    """A program of another process's."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.communicate(b"\n")


def a_family() -> tuple[Family, Member, Member, Member]:
    """The root, one child of it, one child of that; their pids are nobody's."""
    root = Member("r", "root", 1, None)
    family = Family(root)
    mid = family.add("m", "mid", 999_999_001, root)
    leaf = family.add("l", "leaf", 999_999_002, mid)
    return family, root, mid, leaf


def test_a_holder_holds_its_ancestors_and_nobody_else(tmp_path, broker):
    family, _root, mid, leaf = a_family()
    beside = family.add("b", "beside", 999_999_003, mid)
    guard = Guard(family, str(tmp_path), TREE, 0)
    broker.hold(leaf.pid)
    assert guard.holders(leaf) == guard.holders(mid) == [f"p0 ({leaf.pid})"]
    assert guard.holders(beside) == []
    broker.hold()
    guard.forget()
    assert guard.holders(mid) == []


def test_a_program_of_no_living_actor_is_held_itself(tmp_path, broker, sleeper):
    family, _root, mid, _leaf = a_family()
    guard = Guard(family, str(tmp_path), TREE, 0)
    broker.hold(sleeper.pid)
    assert guard.is_program_held(sleeper.pid)
    assert not guard.is_program_held(999_999_009)
    assert guard.holders(mid) == []


def test_where_no_broker_has_been_nobody_is_held(tmp_path):
    family, _root, mid, _leaf = a_family()
    assert Guard(family, str(tmp_path), TREE, 0).holders(mid) == []


def test_all_are_held_while_somebody_starts_a_broker(tmp_path):
    family, _root, mid, _leaf = a_family()
    directory = tmp_path / "run" / "debug"
    directory.mkdir(parents=True)
    guard = Guard(family, str(tmp_path), TREE, 0)
    with (directory / f"{TREE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert guard.holders(mid)
        assert guard.is_program_held(4711)
    guard.forget()
    assert not guard.holders(mid)


def test_nobody_is_held_when_the_tree_is_ended_by_force(tmp_path, broker):
    family, _root, mid, leaf = a_family()
    broker.hold(leaf.pid)
    guard = Guard(family, str(tmp_path), TREE, 0)
    guard.is_off = True
    assert guard.holders(mid) == []
    assert not guard.is_program_held(leaf.pid)


def test_a_parent_is_told_when_an_end_is_deferred_and_when_it_is_not_any_more(tmp_path, broker):
    family, _root, mid, leaf = a_family()
    told = []
    guard = Guard(family, str(tmp_path), TREE, 0)
    deferral = Deferral(guard, lambda member, fields: told.append((member.name, fields["op"])))
    deferral.ask(mid)
    assert told == [("mid", "free")]
    broker.hold(leaf.pid)
    deferral.ask(mid)
    assert deferral.is_due(mid)
    assert told[1:] == [("mid", "held")]
    broker.hold()
    guard.forget()
    deferral.keep_time()
    assert told[2:] == [("mid", "free")]
    assert not deferral


def test_a_limit_forces_the_end_of_all_below(tmp_path, broker):
    family, _root, mid, leaf = a_family()
    broker.hold(leaf.pid)
    guard = Guard(family, str(tmp_path), TREE, 10.0)
    deferral = Deferral(guard, lambda *_: None)
    assert deferral.is_due(mid)
    mid.held_since_s -= 11.0
    assert not deferral.is_due(mid)
    assert not deferral.is_due(leaf)
