from __future__ import annotations

import pytest

from treetap.errors import StateError
from treetap.model.node import STATES, TRANSITIONS, NodeIdentity, next_state

TRIGGERS = {trigger for _, trigger in TRANSITIONS}


def test_every_pair_is_in_the_table_or_an_error_that_names_both():
    for state in STATES:
        for trigger in TRIGGERS:
            if (state, trigger) in TRANSITIONS:
                assert next_state(state, trigger) == TRANSITIONS[state, trigger]
            else:
                with pytest.raises(StateError) as caught:
                    next_state(state, trigger)
                assert state in caught.value.what
                assert trigger in caught.value.what
                assert caught.value.slug == "state-illegal"


def test_a_failed_wake_goes_back_to_where_it_came_from():
    for state in ("sleeping", "warm"):
        assert next_state(next_state(state, "wake"), f"failed-from-{state}") == state


def test_two_processes_with_one_pid_are_two_nodes():
    old = NodeIdentity(name="shop", pid=7, start_ns=1)
    new = NodeIdentity(name="shop", pid=7, start_ns=2)
    assert old != new
    assert old.id != new.id


def test_an_identity_survives_the_wire_and_unknown_keys():
    node = NodeIdentity(name="shop", pid=7, start_ns=255, host="h", parent="6-1", python="3.13.0")
    again = NodeIdentity.from_dict({**node.to_dict(), "later": 1})
    assert again == node
    assert hash(again) == hash(node)
    assert node.tree == node.id == "7-ff"
    assert "shop" in repr(node)
