from __future__ import annotations

import functools
import signal

import pytest

from treetap.debug.limits import is_from_handler


class Alarm:
    def ring(self, _number, _frame):
        raise TimeoutError

    __call__ = ring


def ring(_number, _frame):
    raise TimeoutError


def ring_for(_who, _number, _frame):
    _fail()


def _fail():
    raise TimeoutError


HANDLERS = {
    "function": ring,
    "method": Alarm().ring,
    "object": Alarm(),
    "partial": functools.partial(ring_for, "me"),
}


@pytest.fixture(params=HANDLERS)
def alarm(request):
    before = signal.signal(signal.SIGUSR2, HANDLERS[request.param])
    yield
    signal.signal(signal.SIGUSR2, before)


def test_what_a_signal_handler_raises_is_known_however_it_is_made(alarm):
    with pytest.raises(TimeoutError) as caught:
        signal.raise_signal(signal.SIGUSR2)
    assert is_from_handler(caught.value)


def test_the_same_error_from_elsewhere_is_none_of_a_handler(alarm):
    with pytest.raises(TimeoutError) as caught:
        _fail()
    assert not is_from_handler(caught.value)


def test_an_enum_is_no_handler():
    import enum

    with pytest.raises(ValueError) as caught:
        enum.IntEnum("Kind", ["one"])(7)
    assert not is_from_handler(caught.value)
