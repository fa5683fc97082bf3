from __future__ import annotations

from typing import Any

import pytest

from treetap.errors import LinkError, ProbeError
from treetap.model.location import Location
from treetap.model.probe import Limits, Probe, Target
from treetap.model.status import Batch, ProbeStatus
from treetap.wire import codec
from treetap.wire.message import (
    batch_from_wire,
    batch_to_wire,
    probe_from_dict,
    probe_to_dict,
    status_to_wire,
    statuses_from_wire,
)

PROBE = Probe(
    id="p1",
    location=Location(file="shop.py", line=42),
    expressions=("a", "b.c"),
    condition="a > 1",
    mode="throttle",
    rate=5.0,
    max_hits=3,
    limits=Limits(1, 2, 3, 4),
    target=Target(name="shop", pid=7),
    name="orders",
    is_enabled=False,
)


def over_the_wire(message: Any) -> Any:
    return codec.decode(codec.encode_json(message))


def test_a_probe_survives_the_wire_with_all_of_its_fields():
    assert probe_from_dict(over_the_wire(probe_to_dict(PROBE))) == PROBE


def test_keys_of_a_later_version_are_ignored_and_absent_ones_have_defaults():
    least = {"id": "p1", "location_parts": ["a.py", 1, "", "", ""], "expressions": ["x"], "new": 1}
    assert probe_from_dict(least) == Probe("p1", Location(file="a.py", line=1), ("x",))


@pytest.mark.parametrize(
    "change",
    [
        {"id": 3},
        {"rate": "often"},
        {"is_enabled": 1},
        {"expressions": [1]},
        {"location_parts": None},
        {"limits": {"max_depth": 1, "max_fun": 2}},
        {"target": 3},
        {"mode": "often"},
    ],
)
def test_what_is_no_probe_is_an_error_of_the_probe(change: dict[str, Any]):
    with pytest.raises(ProbeError):
        probe_from_dict({**probe_to_dict(PROBE), **change})


def test_a_batch_survives_the_wire():
    batch = Batch("p1", 3, [[1, "a"], [2, None]])
    assert batch_from_wire(over_the_wire(batch_to_wire(batch))) == batch


@pytest.mark.parametrize("message", [[], ["batch"], ["batch", 1, 0, []], ["other", "p", 0, []]])
def test_what_is_no_batch_is_an_error_of_the_link(message: list[Any]):
    with pytest.raises(LinkError) as caught:
        batch_from_wire(message)
    assert caught.value.slug == "link-message"


def test_a_status_survives_the_wire():
    status = ProbeStatus("p1", "armed", sites=("shop.py:42 f",), skipped={"condition": 2})
    assert statuses_from_wire(over_the_wire(status_to_wire(1, [status]))) == [status]


@pytest.mark.parametrize("probes", [None, [{}], [{"probe_id": "p", "state": "armed"}]])
def test_what_is_no_status_is_an_error_of_the_link(probes: Any):
    with pytest.raises(LinkError):
        statuses_from_wire({"type": "status", "probes": probes})
