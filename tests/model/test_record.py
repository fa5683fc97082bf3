from __future__ import annotations

import copy
import pickle

import pytest

from treetap.expression.parts import namedtuple_fields
from treetap.model.location import Location
from treetap.model.record import Record


class Point(Record):
    """A point."""

    x: int
    y: int = 2
    label: str = ""

    def __str__(self) -> str:
        return f"{self.label}({self.x}, {self.y})"

    @property
    def sum(self) -> int:
        return self.x + self.y


def test_values_are_given_by_place_and_by_name():
    assert Point(1) == (1, 2, "") == Point(x=1)
    assert Point(1, label="p") == Point(1, 2, "p") == Point(label="p", y=2, x=1)
    point = Point(3, 4, "q")
    assert (point.x, point.y, point.label, point.sum) == (3, 4, "q", 7)
    assert str(point) == "q(3, 4)"
    assert repr(point) == "Point(x=3, y=4, label='q')"
    assert Point.__doc__ == "A point."
    assert Point.__module__ == __name__


@pytest.mark.parametrize(
    ("values", "named", "complaint"),
    [
        ((), {}, "lacks a value for 'x'"),
        ((1, 2, "", 4), {}, "takes 3 values, not 4"),
        ((1,), {"x": 1}, "got two values for 'x'"),
        ((1,), {"z": 1}, "has no field 'z'"),
        ((1, 2, ""), {"z": 1}, "has no field 'z'"),
    ],
)
def test_wrong_values_are_a_type_error(values, named, complaint):
    with pytest.raises(TypeError, match=complaint):
        Point(*values, **named)


def test_it_is_a_tuple_that_nobody_changes():
    point = Point(1)
    assert isinstance(point, tuple)
    assert type(Point) is type
    assert hash(point) == hash((1, 2, ""))
    with pytest.raises(AttributeError):
        point.x = 2
    with pytest.raises(AttributeError):
        point.other = 2
    assert not hasattr(point, "__dict__")


def test_it_has_what_a_named_tuple_has():
    point = Point(1, label="p")
    assert Point._fields == Point.__match_args__ == ("x", "y", "label")
    assert Point._field_defaults == {"y": 2, "label": ""}
    assert Point._make([1, 2, "p"]) == point
    assert point._asdict() == {"x": 1, "y": 2, "label": "p"}
    assert point._replace(y=5) == Point(1, 5, "p")
    assert type(point._replace()) is Point
    with pytest.raises(ValueError, match=r"unexpected field names: \['z'\]"):
        point._replace(z=1)
    assert namedtuple_fields(Point, 3) == Point._fields
    match point:
        case Point(1, y=2):
            pass
        case _:
            pytest.fail("a record is matched by its fields")


@pytest.mark.parametrize(
    "remake", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_it_is_copied_and_pickled(remake):
    assert remake(Point(1, label="p")) == Point(1, label="p")
    assert type(remake(Location("a.py", 1))) is Location


def test_a_field_without_a_default_comes_first():
    with pytest.raises(TypeError, match="Bad: a field without a default follows"):
        type(Record)("Bad", (Record,), {"__annotations__": {"a": "int", "b": "int"}, "a": 1})
