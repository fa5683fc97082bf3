from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import functools
import importlib.util
import json
import sys
import threading
import types

import pytest

from tests import hostile
from treetap.expression.reading import (
    SCALARS,
    Unsafe,
    instance_dict,
    is_plain_attribute,
    static_attribute,
)

_NAMES = ("total", "own", "shared", "inner", "filled", "empty", "text", "__class__", "args", "a")


@pytest.fixture(autouse=True)
def _no_calls_before():
    hostile.CALLS.clear()


@pytest.mark.parametrize("which", [name for name in hostile.values() if name != "raising key"])
@pytest.mark.parametrize("name", _NAMES)
def test_reading_an_attribute_runs_nothing_of_a_hostile_value(which, name):
    value = hostile.values()[which]
    hostile.CALLS.clear()
    try:
        static_attribute(value, name)
    except (Unsafe, AttributeError):
        pass
    is_plain_attribute(type(value), name)
    instance_dict(value)
    assert hostile.CALLS == []


def test_a_key_that_equals_the_name_is_compared_as_python_compares_it():
    # The one hole, said in the module's docstring: to look for such keys would cost each read
    # its speed, and the program's own read of the name runs this `__eq__` too.
    value = hostile.values()["raising key"]
    hostile.CALLS.clear()
    assert static_attribute(value, "own") == 2
    assert hostile.CALLS == []
    with pytest.raises(Unsafe):
        static_attribute(value, "total")


class Plain:
    shared = [1]

    def __init__(self):
        self.total = 5

    def method(self):
        return 1

    @classmethod
    def of_class(cls):
        return 1

    @staticmethod
    def static():
        return 1

    @functools.cached_property
    def cached(self):
        raise AssertionError("ran")

    @property
    def prop(self):
        raise AssertionError("ran")


class Slotted:
    __slots__ = ("empty", "filled")

    def __init__(self):
        self.filled = 1


@dataclasses.dataclass(slots=True)
class Item:
    price: int


Point = collections.namedtuple("Point", "x y")


class Color(enum.Enum):
    RED = "r"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Plain(), "total"),
        (Plain(), "shared"),
        (Plain(), "static"),
        (Slotted(), "filled"),
        (Item(3), "price"),
        (Point(1, 2), "y"),
        (Color.RED, "name"),
        (Color.RED, "value"),
        (datetime.datetime(2026, 1, 2), "day"),
        (datetime.timedelta(3), "days"),
        (ValueError("x"), "args"),
        (1, "real"),
        (types.SimpleNamespace(a=1), "a"),
        (json, "dumps"),
        (Plain, "shared"),
        (Plain, "method"),
        (Plain, "static"),
        (Color, "RED"),
        (len, "__name__"),
        (range(1, 5), "stop"),
        (functools.partial(int, "3"), "args"),
        (test_reading_an_attribute_runs_nothing_of_a_hostile_value, "__name__"),
        (Plain, "__name__"),
    ],
)
def test_a_plain_attribute_is_what_python_reads(value, name):
    assert static_attribute(value, name) is getattr(value, name) or static_attribute(
        value, name
    ) == getattr(value, name)


def test_methods_are_bound_as_python_binds_them():
    plain = Plain()
    assert static_attribute(plain, "method") == plain.method
    assert static_attribute(plain, "of_class") == Plain.of_class
    assert static_attribute(Plain, "of_class") == Plain.of_class


def test_a_property_is_named_as_the_reason():
    with pytest.raises(Unsafe, match=r"Plain\.prop is a property") as caught:
        static_attribute(Plain(), "prop")
    assert caught.value.would_run_code


def test_a_cached_property_is_read_once_the_program_has_run_it():
    plain = Plain()
    with pytest.raises(Unsafe):
        static_attribute(plain, "cached")
    vars(plain)["cached"] = 7
    assert static_attribute(plain, "cached") == 7


def test_a_missing_attribute_is_an_attribute_error():
    for value in (Plain(), Slotted(), 1, Plain, json):
        with pytest.raises(AttributeError):
            static_attribute(value, "nothing_like_it")
    with pytest.raises(AttributeError):
        static_attribute(Slotted(), "empty")


def test_a_getattr_matters_only_for_what_is_missing():
    value = hostile.Getattr()
    assert static_attribute(value, "own") == 1
    with pytest.raises(Unsafe, match="__getattr__"):
        static_attribute(value, "other")


def test_a_module_with_a_getattr_of_its_own_is_not_asked():
    with pytest.raises(Unsafe, match="__getattr__"):
        static_attribute(hostile.lazy_module(), "something")


def test_a_module_that_loads_when_it_is_touched_is_not_touched(tmp_path):
    path = tmp_path / "treetap_touched.py"
    path.write_text("raise AssertionError('loaded')")
    spec = importlib.util.spec_from_file_location("treetap_touched", path)
    loader = importlib.util.LazyLoader(spec.loader)
    spec.loader = loader
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    with pytest.raises(Unsafe):
        static_attribute(module, "anything")


def test_a_thread_local_is_not_touched_for_it_may_run_its_init_in_this_thread():
    class Local(threading.local):
        def __init__(self):
            hostile.ran("local.__init__")
            self.a = 1

    local = Local()
    hostile.CALLS.clear()
    caught = []

    def read():
        try:
            static_attribute(local, "a")
        except Unsafe as exc:
            caught.append(exc)
        instance_dict(local)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert len(caught) == 1
    assert hostile.CALLS == []


@pytest.mark.parametrize(
    ("cls", "name", "expected"),
    [
        (Plain, "total", True),
        (Plain, "not there at all", True),
        (Plain, "shared", True),
        (Plain, "method", True),
        (Plain, "static", True),
        (Plain, "of_class", True),
        (Plain, "prop", False),
        (Plain, "cached", False),
        (Slotted, "filled", True),
        (Item, "price", True),
        (Point, "x", True),
        (datetime.datetime, "year", True),
        (str, "upper", True),
        (hostile.Getattr, "own", False),
        (hostile.Getattribute, "inner", False),
        (hostile.Descriptors, "lazy", False),
        (hostile.Descriptors, "strict", False),
        (hostile.LyingClass, "__class__", False),
        (types.ModuleType, "anything", False),
        (type, "anything", False),
        (threading.local, "anything", False),
        (super, "anything", False),
    ],
)
def test_is_plain_attribute_is_true_only_if_reading_runs_nothing(cls, name, expected):
    assert is_plain_attribute(cls, name) is expected


def test_the_scalars_are_those_that_are_taken_by_reference():
    assert SCALARS == {int, float, str, bool, bytes, type(None)}


def test_reading_does_not_give_an_object_a_dict_that_it_did_not_have():
    # On 3.11 and 3.12 an object is slower for good once its `__dict__` was asked for.
    before, after = Plain(), Plain()
    static_attribute(after, "total")
    assert sys.getsizeof(before) == sys.getsizeof(after)
    import gc

    assert not any(type(held) is dict for held in gc.get_referents(after))
