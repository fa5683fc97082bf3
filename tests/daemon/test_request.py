from __future__ import annotations

import time

import pytest

from treetap.daemon.record import numbered
from treetap.daemon.request import probe_asked, probe_changed
from treetap.errors import TreetapError
from treetap.model.probe import Limits, Target


def asked(**fields):
    return numbered(probe_asked({"location": "shop.py:3", "expressions": ["a"], **fields}), 7)


def refusal(**fields) -> TreetapError:
    with pytest.raises(TreetapError) as caught:
        asked(**fields)
    return caught.value


def test_what_isn_t_said_has_its_default():
    record = asked()
    probe = record.probe
    assert (probe.id, str(probe.location), probe.expressions) == ("p7", "shop.py:3", ("a",))
    assert (probe.mode, probe.safety, probe.limits, probe.target) == (
        "stream",
        "strict",
        Limits(),
        Target(),
    )
    assert record.ttl_s == 3600
    assert 3590 < probe.expires_at_s - time.time() < 3601


def test_null_is_as_if_it_weren_t_said():
    assert asked(condition=None, limits=None, ttl_s=None).probe.limits == Limits()


def test_everything_can_be_said():
    probe = asked(
        snapshot=True,
        condition="a > 1",
        mode="throttle",
        rate=5,
        max_hits=9,
        safety="trusted",
        allow_calls=True,
        limits={"max_depth": 1},
        budget_percent=0,
        name="orders",
        target={"tree": "1-2", "pid": 3, "name": "shop"},
        is_enabled=False,
        ttl_s=0,
    ).probe
    assert (probe.snapshot, probe.condition, probe.mode, probe.rate) == (
        True,
        "a > 1",
        "throttle",
        5,
    )
    assert (probe.max_hits, probe.safety, probe.allow_calls) == (9, "trusted", True)
    assert probe.limits == Limits(max_depth=1)
    assert probe.target == Target("1-2", "shop", 3)
    assert (probe.name, probe.is_enabled, probe.expires_at_s) == ("orders", False, 0)


@pytest.mark.parametrize(
    ("fields", "slug", "words"),
    [
        ({"location": "nowhere"}, "location-syntax", "nowhere"),
        ({"location": 5}, "probe-invalid", "location is 5"),
        ({"expressions": ["a +"]}, "expression-syntax", "a +"),
        ({"expressions": ["__import__('os').getcwd()"]}, "expression-unsafe", ""),
        ({"expressions": ["user.password"]}, "expression-secret", "password"),
        ({"condition": "b +"}, "expression-syntax", "b +"),
        ({"expressions": "a"}, "probe-invalid", "expressions is 'a'"),
        ({"expressions": [1]}, "probe-invalid", "not a text"),
        ({"expressions": ["a", "a"]}, "probe-invalid", "twice"),
        ({"expressions": []}, "probe-invalid", "takes nothing"),
        ({"mode": "often"}, "probe-invalid", "often"),
        ({"rate": True}, "probe-invalid", "rate"),
        ({"max_hits": 1.5}, "probe-invalid", "max_hits"),
        ({"ttl_s": -1}, "probe-invalid", "ttl_s"),
        ({"limits": {"max_size": 1}}, "probe-invalid", "max_size"),
        ({"limits": {"max_depth": "1"}}, "probe-invalid", "limits.max_depth"),
        ({"target": {"pid": "1"}}, "probe-invalid", "target.pid"),
        ({"colour": "red"}, "probe-invalid", "'colour' is no field"),
        ({"name": "has space"}, "probe-invalid", "has space"),
        ({"language": "cobol"}, "probe-invalid", "cobol"),
        ({"language": "go", "expressions": ["f(x)"]}, "expression-unsafe", "program's code"),
        ({"language": "rust", "condition": "x = 1"}, "expression-unsafe", "assigns"),
    ],
)
def test_what_makes_no_sense_is_told(fields, slug, words):
    error = refusal(**fields)
    assert error.slug == slug
    assert words in str(error)


def test_a_probe_without_a_location_is_told():
    with pytest.raises(TreetapError, match="no location"):
        probe_asked({"expressions": ["a"]})


def test_trusted_expressions_may_be_anything():
    assert asked(expressions=["f(x)"], safety="trusted").probe.expressions == ("f(x)",)


def test_expressions_of_other_languages_are_not_python_s():
    record = asked(
        location="/srv/main.go:3", expressions=["*p", "m[`k`]"], condition="!ok && a != nil"
    )
    assert record.language == "go"
    assert asked(language="golang", expressions=["&x"]).language == "go"
    assert asked(location="src/main.rs:3", expressions=["v.len"]).language == "rust"
    assert asked().language == "python"
    assert probe_changed(record, {"condition": "!ok"}).language == "go"
    with pytest.raises(TreetapError, match="assigns"):
        probe_changed(record, {"condition": "ok = false"})


def test_a_change_keeps_the_rest():
    record = probe_changed(asked(name="orders", max_hits=3), {"condition": "a > 2"})
    assert (record.probe.condition, record.probe.name, record.probe.max_hits) == (
        "a > 2",
        "orders",
        3,
    )


@pytest.mark.parametrize(
    "field",
    [{"location": "b.py:1"}, {"expressions": ["b"]}, {"snapshot": True}, {"language": "go"}],
)
def test_what_it_takes_can_t_change(field):
    with pytest.raises(TreetapError) as caught:
        probe_changed(asked(), field)
    assert caught.value.slug == "probe-fixed"


def test_a_new_mode_has_its_own_rate():
    record = asked(mode="sample", rate=7)
    assert probe_changed(record, {"mode": "throttle"}).probe.rate == 100
    assert probe_changed(record, {"mode": "stream"}).probe.rate == 0
    assert probe_changed(record, {"max_hits": 1}).probe.rate == 7


def test_a_new_time_to_live_counts_from_now():
    record = probe_changed(asked(ttl_s=5), {"ttl_s": 100})
    assert 99 < record.probe.expires_at_s - time.time() < 101
    assert probe_changed(record, {"ttl_s": 0}).probe.expires_at_s == 0
