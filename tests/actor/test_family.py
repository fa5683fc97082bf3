from __future__ import annotations

import pytest

from treetap.actor.family import Family, Member


@pytest.fixture
def family() -> Family:
    """root → a → b → c, and root → d."""
    family = Family(Member("root", "root", 1, None))
    parent = family.root
    for pid, uid in enumerate("abc", 10):
        parent = family.add(uid, uid.upper(), pid, parent)
    family.add("d", "D", 13, family.root)
    return family


def test_height_counts_the_generations_below(family: Family):
    heights = {uid: family.with_uid(uid).height() for uid in ("root", "a", "b", "c", "d")}
    assert heights == {"root": 3, "a": 2, "b": 1, "c": 0, "d": 0}


def test_an_actor_is_gone_when_all_below_it_is(family: Family):
    a, b, c = (family.with_uid(uid) for uid in "abc")
    for pid in (10, 11):
        member = family.end(pid, -9)
        assert member.status == -9
        assert family.bury(member) == []
    assert {m.uid for m in family.living()} == {"c", "d"}
    family.end(12, 0)
    assert family.bury(c) == [c, b, a]
    assert list(family.root.children) == ["d"]
    assert family.with_uid("a") is None


def test_a_death_further_up_is_waited_for(family: Family):
    family.end(12, 0)
    c = family.with_uid("c")
    assert family.bury(c) == [c]


def test_a_pid_that_is_nobodys_is_no_member(family: Family):
    assert family.end(99, 0) is None


def test_an_earlier_deadline_stands_and_comers_inherit_it(family: Family):
    a = family.with_uid("a")
    a.kill_by(5.0)
    family.root.kill_by(9.0)
    assert family.with_uid("c").kill_at_s == 5.0
    assert family.with_uid("d").kill_at_s == 9.0
    assert family.add("e", "E", 14, a).kill_at_s == 5.0


def test_only_who_is_up_and_alive_is_found_and_the_oldest_first(family: Family):
    twin = family.add("a2", "A", 15, family.root)
    assert family.with_name("A") is None
    twin.is_up = True
    assert family.with_name("A") is twin
    family.with_uid("a").is_up = True
    assert family.with_name("A").uid == "a"
    assert family.with_name("A", besides=family.with_uid("a")) is twin
    family.end(10, 0)
    assert family.with_name("A") is twin


def test_a_uid_is_taken_once(family: Family):
    with pytest.raises(ValueError, match="a"):
        family.add("a", "again", 20, family.root)
