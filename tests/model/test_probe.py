from __future__ import annotations

import pytest

from treetap.errors import ProbeError
from treetap.model.location import Location
from treetap.model.probe import DEFAULT_RATES, Limits, Probe, Target, check_probe

HERE = Location(file="shop.py", line=1)


def probe(**fields: object) -> Probe:
    return Probe(id="p1", location=HERE, expressions=("a",))._replace(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"expressions": ()},
        {"expressions": ("a",) * 21},
        {"expressions": ("a" * 10_001,)},
        {"condition": "a" * 10_001},
        {"mode": "often"},
        {"mode": "sample", "rate": 1.5},
        {"mode": "first", "rate": 2},
        {"rate": -1},
        {"max_hits": -1},
        {"budget_percent": -1},
        {"safety": "brave"},
        {"name": "1st"},
        {"name": "a b"},
        {"limits": Limits(max_depth=-1)},
    ],
)
def test_a_probe_that_makes_no_sense_is_refused_with_a_way_out(fields: dict[str, object]):
    with pytest.raises(ProbeError) as caught:
        check_probe(probe(**fields))
    assert caught.value.slug == "probe-invalid"
    assert caught.value.hint


@pytest.mark.parametrize("mode", DEFAULT_RATES)
def test_a_mode_with_a_number_has_a_default_one(mode: str):
    assert check_probe(probe(mode=mode)).rate == DEFAULT_RATES[mode]
    assert check_probe(probe(mode=mode, rate=7)).rate == 7


def test_a_snapshot_needs_no_expression():
    assert check_probe(probe(expressions=(), snapshot=True)).snapshot


def test_an_empty_target_is_every_node():
    about = {"tree": "t", "name": "n", "pid": 3}
    assert Target().matches(**about)
    assert Target(tree="t", name="n", pid=3).matches(**about)
    assert not Target(name="m").matches(**about)
    assert not Target(pid=4).matches(**about)


@pytest.mark.parametrize("name", ["a", "_", "a-b", "A1_", "a" * 255, "class"])
def test_a_name_is_letters_digits_and_dashes(name: str):
    assert check_probe(probe(name=name)).name == name


@pytest.mark.parametrize("name", ["-a", "1a", "a.b", "a b", "ä", "a" * 256, "a\n"])
def test_another_name_is_refused(name: str):
    with pytest.raises(ProbeError, match="is not a probe's name"):
        check_probe(probe(name=name))
