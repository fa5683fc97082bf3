from __future__ import annotations

from treetap.actor.aftermath import without_consequences
from treetap.errors import ActorDied, RemoteCancelled


def died(uid: str) -> ActorDied:
    error = ActorDied("gone")
    error.uid = uid
    return error


def cancelled(uid: str) -> RemoteCancelled:
    error = RemoteCancelled("cancelled")
    error.uid = uid
    return error


def test_what_follows_from_the_end_of_a_nursery_is_left_out():
    cause = ValueError("why")
    group = ExceptionGroup("", [cause, ExceptionGroup("", [died("a"), cancelled("b")])])
    rest = without_consequences(group, {"a", "b"})
    assert rest.exceptions == (cause,)


def test_a_death_that_nobody_asked_for_is_what_happened():
    group = ExceptionGroup("", [died("a"), died("b")])
    assert [exc.uid for exc in without_consequences(group, {"a"}).exceptions] == ["b"]


def test_a_call_that_was_cancelled_by_a_death_is_not_told_beside_it():
    group = ExceptionGroup("", [cancelled("a"), died("a"), cancelled("b")])
    kinds = [(type(exc), exc.uid) for exc in without_consequences(group, set()).exceptions]
    assert kinds == [(ActorDied, "a"), (RemoteCancelled, "b")]


def test_where_nothing_else_happened_nothing_is_raised():
    assert without_consequences(ExceptionGroup("", [died("a")]), {"a"}) is None
