from __future__ import annotations

import sys

import pytest

from treetap.node import turns


@pytest.fixture(autouse=True)
def interval():
    found_s = sys.getswitchinterval()
    yield found_s
    sys.setswitchinterval(found_s)


def test_the_interval_is_short_within_and_as_it_was_after(interval):
    with turns.quick():
        assert sys.getswitchinterval() < interval / 10
    assert sys.getswitchinterval() == interval


def test_it_is_as_it_was_after_an_error_too(interval):
    with pytest.raises(KeyError), turns.quick():
        raise KeyError
    assert sys.getswitchinterval() == interval


def test_what_the_program_sets_meanwhile_stays():
    with turns.quick():
        sys.setswitchinterval(0.5)
    assert sys.getswitchinterval() == 0.5


def test_a_shorter_one_of_the_programs_is_left_alone():
    sys.setswitchinterval(0.000_01)
    with turns.quick():
        assert sys.getswitchinterval() == pytest.approx(0.000_01)
