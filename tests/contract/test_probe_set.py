"""What a node needs of its engine: one suite for the real ``ProbeSet`` and for the node tests' fake."""

from __future__ import annotations

import json

import pytest

from tests.node.fake_probe_set import FakeProbeSet
from treetap.model.location import Location
from treetap.model.probe import Probe
from treetap.model.status import ProbeState
from treetap.probe.probeset import ProbeSet

PROBE = Probe(
    id="p1",
    location=Location(module="json.decoder", qualname="JSONDecoder.decode"),
    expressions=("s",),
    budget_percent=0,
)


def hit_real(_engine):
    json.loads("[1]")


def hit_fake(engine):
    engine.hit("p1", 1, "[1]")


@pytest.fixture(params=[(ProbeSet, hit_real), (FakeProbeSet, hit_fake)], ids=["real", "fake"])
def pair(request):
    make, hit = request.param
    engine = make()
    yield engine, hit
    engine.close()


def test_nothing_is_wanted_at_first(pair):
    engine, _hit = pair
    assert engine.is_idle
    assert engine.statuses() == engine.drain() == []


def test_what_is_applied_is_armed_and_has_a_status(pair):
    engine, _hit = pair
    engine.apply([PROBE])
    assert not engine.is_idle
    (status,) = engine.statuses()
    assert (status.probe_id, status.state) == ("p1", ProbeState.ARMED)
    engine.apply([])
    assert engine.is_idle
    assert engine.statuses() == []


def test_preparing_changes_nothing_but_when_things_are_loaded(pair):
    engine, hit = pair
    engine.prepare()
    engine.apply([PROBE])
    engine.prepare()
    hit(engine)
    (batch,) = engine.drain()
    assert (batch.probe_id, batch.first_number, len(batch.rows)) == ("p1", 0, 1)


def test_rows_are_drained_once_and_numbered_from_nought(pair):
    engine, hit = pair
    engine.apply([PROBE])
    hit(engine)
    hit(engine)
    (first,) = engine.drain()
    assert (first.probe_id, first.first_number, len(first.rows)) == ("p1", 0, 2)
    assert all(type(row[0]) is int and row[1] == "[1]" for row in first.rows)
    assert engine.drain() == []
    hit(engine)
    (second,) = engine.drain()
    assert (second.first_number, len(second.rows)) == (2, 1)
    assert engine.statuses()[0].recorded == 3


def test_applying_the_same_again_changes_nothing(pair):
    engine, hit = pair
    engine.apply([PROBE])
    hit(engine)
    engine.apply([PROBE])
    (batch,) = engine.drain()
    assert (batch.first_number, len(batch.rows)) == (0, 1)


def test_a_tick_tells_whether_something_changed(pair):
    engine, _hit = pair
    assert engine.tick() in (True, False)
    engine.apply([PROBE])
    assert engine.tick() in (True, False)


def test_a_child_begins_with_empty_rings_and_keeps_its_probes(pair):
    engine, hit = pair
    engine.apply([PROBE])
    hit(engine)
    engine.start_over_in_child()
    assert engine.drain() == []
    assert not engine.is_idle
    hit(engine)
    (batch,) = engine.drain()
    assert (batch.first_number, len(batch.rows)) == (0, 1)


def test_closed_it_wants_nothing_and_may_be_closed_again(pair):
    engine, _hit = pair
    engine.apply([PROBE])
    engine.close()
    assert engine.is_idle
    engine.close()
