from __future__ import annotations

import pytest

from treetap.daemon.record import ProbeRecord, number_of, numbered, record_from_dict
from treetap.daemon.request import probe_asked
from treetap.errors import ProbeError


def record(**fields) -> ProbeRecord:
    return numbered(probe_asked({"location": "a.py:1", "expressions": ["a", "b"], **fields}), 7)


def test_what_is_kept_comes_back_as_it_was():
    before = record(name="orders", condition="a > 1", limits={"max_items": 3}, target={"pid": 5})
    assert record_from_dict(7, before.to_dict()) == before


def test_a_row_is_as_wide_as_what_it_takes():
    assert (record().width, record().keys) == (2, ("a", "b"))
    with_snapshot = record(snapshot=True)
    assert (with_snapshot.width, with_snapshot.keys) == (3, ("a", "b", "snapshot"))


def test_it_is_wanted_while_it_is_enabled_and_lives():
    living = record(ttl_s=10)
    ends_s = living.probe.expires_at_s
    assert living.is_wanted(ends_s - 1)
    assert not living.is_wanted(ends_s)
    assert not record(is_enabled=False).is_wanted(0)
    assert record(ttl_s=0).is_wanted(1e12)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("p7", 7),
        ("p0", 0),
        ("p", 0),
        ("7", 0),
        ("P7", 0),
        ("p-7", 0),
        ("p7x", 0),
        ("p²", 0),
        ("", 0),
    ],
)
def test_an_id_has_a_number(text, number):
    assert number_of(text) == number


def test_what_was_spoiled_is_told():
    with pytest.raises(ProbeError):
        record_from_dict(1, {"location": "a.py:1"})
