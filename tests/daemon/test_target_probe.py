"""How a probe fares in a target, by what the adapter says of it."""

from __future__ import annotations

import asyncio

import pytest

from treetap.daemon.target_identity import Registration
from treetap.daemon.target_place import Place
from treetap.daemon.target_probe import TargetProbe
from treetap.dap import Counts, Fault, Hit, Placed
from treetap.errors import DapError
from treetap.model.location import Location
from treetap.model.probe import Probe

SHOP = Registration("127.0.0.1", 5678, "python", "shop")
PROBE = Probe("p1", Location(file="/srv/a.py", line=3), ("a", "b"), budget_percent=0)


def at_its_place(probe: Probe = PROBE, registration: Registration = SHOP, spent: int = 0):
    found = TargetProbe(probe, registration, spent)
    found.place = Place("/srv/a.py", 3)
    return found


def hit(number: int) -> Hit:
    return Hit("p1", number, 1000 + number, (1, 2))


def test_it_is_armed_where_the_adapter_says_that_it_is():
    probe = at_its_place()
    assert probe.status().state == "pending"
    probe.placed(Placed("p1", is_verified=True, line=3))
    status = probe.status()
    assert (status.state, status.sites) == ("armed", ("/srv/a.py:3",))
    assert status.engine == "logpoint of debugpy"


def test_what_the_adapter_hasnt_verified_is_pending_with_its_words():
    probe = at_its_place()
    probe.placed(Placed("p1", is_verified=False, line=3, message="Source not loaded."))
    assert probe.status().state == "pending"
    assert "Source not loaded." in probe.status().why


def test_a_line_that_moved_says_from_where():
    probe = at_its_place()
    probe.placed(Placed("p1", is_verified=True, line=5))
    assert probe.status().sites == ("/srv/a.py:5",)
    assert "from line 3" in probe.status().why


def test_what_cant_be_held_is_said_and_nothing_else():
    strict = at_its_place(PROBE._replace(budget_percent=1))
    assert "budget" in strict.status().why
    assert "runs the program's code" in strict.status().why
    trusted = at_its_place(PROBE._replace(safety="trusted"))
    assert trusted.status().why == ""
    other = at_its_place(PROBE._replace(safety="trusted"), SHOP._replace(language="go"))
    assert other.status().why == "delve stops the program for a moment at each hit"


@pytest.mark.parametrize(
    ("fields", "taken"), [({"mode": "first"}, 1), ({"max_hits": 3}, 3), ({"max_hits": 1}, 1)]
)
def test_it_is_done_with_its_last_row_and_taken_out(fields, taken):
    probe = at_its_place(PROBE._replace(**fields))
    probe.placed(Placed("p1", is_verified=True, line=3))
    assert [probe.hit(hit(number)) for number in range(taken)] == [False] * (taken - 1) + [True]
    assert (probe.is_live, probe.status().state) == (False, "done")
    assert probe.hit(hit(taken)) is False
    assert [len(message.content[3]) for message in probe.rows.take()] == [taken]


def test_what_an_earlier_session_took_counts_for_the_limit_but_isnt_reported_again():
    probe = at_its_place(PROBE._replace(max_hits=5), spent=3)
    assert probe.logpoint().max_hits == 2
    probe.hit(hit(0))
    assert (probe.recorded, probe.status().recorded) == (4, 1)
    assert at_its_place(PROBE._replace(max_hits=5), spent=5).status().state == "done"
    assert at_its_place(PROBE._replace(mode="first"), spent=1).status().state == "done"
    assert at_its_place(spent=9).logpoint().max_hits == 0


def test_the_counts_are_the_adapters_and_never_less_than_the_rows():
    probe = at_its_place()
    probe.counted(Counts(hits=10, recorded=1, skipped={"condition": 9}))
    probe.hit(hit(0))
    assert (probe.status().hits, probe.status().recorded) == (10, 1)
    probe.hit(hit(1))
    assert (probe.status().hits, probe.status().recorded) == (11, 2)


def test_a_condition_that_raised_and_a_fault_are_told():
    probe = at_its_place()
    probe.counted(Counts(condition_error="NameError: name 'x' is not defined"))
    probe.fault(Fault("p1", "hit", "A hit could not be read."))
    assert "NameError" in probe.status().why
    assert "A hit could not be read." in probe.status().why


def test_an_adapter_that_refused_is_asked_again_and_others_are_not_forgiven():
    class Absent:
        async def find_sources(self, suffix):
            return []

    refused = at_its_place()
    refused.fail(DapError("It said no.", slug="dap-refused"))
    assert (refused.status().state, refused.status().error[0]) == ("failed", "dap-refused")
    asyncio.run(refused.find(Absent()))
    assert refused.is_live
    unsafe = TargetProbe(PROBE._replace(snapshot=True), SHOP._replace(is_safe_mode=True))
    asyncio.run(unsafe.find(Absent()))
    assert unsafe.status().error[0] == "target-safe-mode"
