from __future__ import annotations

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from treetap.debug import lock as machine
from treetap.debug.lock import ABSENT, HOLDING, WAITING, Freed, Granted, Lock, Placed
from treetap.errors import StateError

PARTIES = "abcde"


def test_the_first_who_asks_holds_it_at_once():
    lock = Lock()
    assert lock.request("a") == [Granted("a")]
    assert lock.holder == "a"


def test_the_others_are_told_their_places():
    lock = Lock()
    lock.request("a")
    assert lock.request("b") == [Placed("b", 1)]
    assert lock.request("c") == [Placed("c", 2)]


def test_a_release_grants_the_next_and_moves_the_queue_up():
    lock = Lock()
    for party in "abcd":
        lock.request(party)
    assert lock.release("a") == [Granted("b"), Placed("c", 1), Placed("d", 2)]


def test_the_last_release_frees_it():
    lock = Lock()
    lock.request("a")
    assert lock.release("a") == [Freed()]
    assert lock.holder is None


def test_the_holder_who_asks_again_has_it_at_once_and_releases_as_often():
    lock = Lock()
    lock.request("a")
    lock.request("b")
    assert lock.request("a") == [Granted("a")]
    assert lock.release("a") == [Granted("a")]
    assert lock.release("a") == [Granted("b")]


def test_a_holder_who_dies_frees_it_however_often_it_had_asked():
    lock = Lock()
    lock.request("a")
    lock.request("a")
    lock.request("b")
    assert lock.die("a") == [Granted("b")]


def test_a_waiter_who_dies_leaves_the_queue_and_those_behind_move_up():
    lock = Lock()
    for party in "abcd":
        lock.request(party)
    assert lock.die("b") == [Placed("c", 1), Placed("d", 2)]
    assert lock.die("d") == []
    assert lock.waiting == ("c",)


def test_a_waiter_may_give_up_and_ask_again_at_the_end():
    lock = Lock()
    for party in "abc":
        lock.request(party)
    assert lock.withdraw("b") == [Placed("c", 1)]
    assert lock.request("b") == [Placed("b", 2)]


def test_the_death_of_a_stranger_and_a_second_death_are_nothing():
    lock = Lock()
    lock.request("a")
    assert lock.die("z") == []
    assert lock.die("a") == [Freed()]
    assert lock.die("a") == []


def enter(state: str) -> Lock:
    lock = Lock()
    if state == WAITING:
        lock.request("other")
    if state != ABSENT:
        lock.request("a")
    return lock


@pytest.mark.parametrize(
    ("state", "trigger"),
    list(itertools.product((ABSENT, WAITING, HOLDING), ("request", "release", "withdraw", "die"))),
)
def test_each_state_takes_what_the_table_says_and_refuses_the_rest_naming_both(state, trigger):
    lock = enter(state)
    if (state, trigger) in machine.TRANSITIONS:
        getattr(lock, trigger)("a")
        return
    with pytest.raises(StateError, match=f"{state}.*{trigger}"):
        getattr(lock, trigger)("a")
    assert lock.state("a") == state


class AgainstAModel(RuleBasedStateMachine):
    """The lock beside the simplest thing that could be right: a list whose first has it."""

    def __init__(self):
        super().__init__()
        self.lock = Lock()
        self.line: list[str] = []
        self.times = 0
        self.places: dict[str, int] = {}

    def heard(self, notices):
        for notice in notices:
            match notice:
                case Granted(party):
                    self.places[party] = 0
                case Placed(party, place):
                    self.places[party] = place
                case Freed():
                    assert not self.line

    def gone(self, party):
        self.line.remove(party)
        self.places.pop(party)

    @rule(party=st.sampled_from(PARTIES))
    def request(self, party):
        if party in self.line[1:]:
            with pytest.raises(StateError):
                self.lock.request(party)
            return
        if self.line[:1] == [party]:
            self.times += 1
        else:
            self.times = self.times if self.line else 1
            self.line.append(party)
        self.heard(self.lock.request(party))

    @precondition(lambda self: self.line)
    @rule()
    def release(self):
        holder = self.line[0]
        self.times -= 1
        if not self.times:
            self.gone(holder)
            self.times = 1 if self.line else 0
        self.heard(self.lock.release(holder))

    @rule(party=st.sampled_from(PARTIES))
    def release_by_another(self, party):
        if self.line[:1] != [party]:
            with pytest.raises(StateError):
                self.lock.release(party)

    @rule(party=st.sampled_from(PARTIES), dies=st.booleans())
    def leave(self, party, dies):
        if party in self.line[1:]:
            self.gone(party)
            self.heard(self.lock.die(party) if dies else self.lock.withdraw(party))
        elif dies:
            if self.line[:1] == [party]:
                self.gone(party)
                self.times = 1 if self.line else 0
            self.heard(self.lock.die(party))

    @invariant()
    def it_is_the_same_line(self):
        held = [] if self.lock.holder is None else [self.lock.holder]
        assert [*held, *self.lock.waiting] == self.line

    @invariant()
    def everybody_knows_the_own_place(self):
        assert self.places == {party: place for place, party in enumerate(self.line)}

    @invariant()
    def somebody_holds_it_while_anybody_wants_it(self):
        assert (self.lock.holder is None) == (not self.line)


TestAgainstAModel = AgainstAModel.TestCase
TestAgainstAModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
