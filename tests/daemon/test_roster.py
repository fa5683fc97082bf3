from __future__ import annotations

from tests.running_daemon import identity
from treetap.daemon.roster import _MAX_GONE, Roster


class Link:
    """A link that remembers that it was closed."""

    def __init__(self) -> None:
        self.is_closed = False

    def send(self, message) -> None:
        raise AssertionError("nothing is sent by the roster")

    def close(self) -> None:
        self.is_closed = True


def test_two_workers_of_one_name_are_two_nodes():
    roster = Roster(lambda key: None)
    roster.connect(identity(1), Link())
    roster.connect(identity(2), Link())
    roster.connect(identity(1, start_ns=99), Link())
    assert len(roster.connected()) == 3


def test_the_old_link_of_a_node_ends_and_its_end_says_nothing():
    roster = Roster(lambda key: None)
    old, new = Link(), Link()
    before = roster.connect(identity(), old)
    entry = roster.connect(identity(), new)
    assert old.is_closed
    assert not roster.disconnect(entry, old, "lost")
    assert roster.get(before.key).state == "awake"
    assert roster.disconnect(entry, new, "exit")
    assert (entry.state, entry.reason) == ("gone", "exit")


def test_only_so_many_that_are_gone_are_kept():
    forgotten = []
    roster = Roster(forgotten.append)
    living = roster.connect(identity(1), Link())
    for pid in range(2, _MAX_GONE + 12):
        link = Link()
        roster.disconnect(roster.connect(identity(pid), link), link, "exit")
    assert len(roster.all()) == _MAX_GONE + 1
    assert len(forgotten) == 10
    assert living in roster.all()


def test_what_is_gone_for_long_is_forgotten():
    forgotten = []
    roster = Roster(forgotten.append)
    link = Link()
    entry = roster.connect(identity(), link)
    roster.disconnect(entry, link, "exit")
    entry.last_seen_at_s -= 10_000
    roster.prune()
    assert forgotten == [entry.key]
    assert roster.all() == []


def test_a_clean_up_forgets_the_gone_and_nobody_else():
    forgotten = []
    roster = Roster(forgotten.append)
    living, link = roster.connect(identity(1), Link()), Link()
    gone = roster.connect(identity(2), link)
    roster.disconnect(gone, link, "lost")
    assert roster.forget_gone() == 1
    assert roster.all() == [living]
    assert forgotten == [gone.key]
    assert roster.forget_gone() == 0
