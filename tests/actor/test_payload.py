from __future__ import annotations

import dataclasses
import datetime
import enum
import uuid
from collections.abc import Hashable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, ParamSpec

import msgspec
import pytest

from treetap.actor.context import Context
from treetap.actor.message import ASYNC, CONTEXT
from treetap.actor.payload import Contract, Slot, shown
from treetap.errors import PayloadError

if TYPE_CHECKING:
    from fractions import Fraction

P = ParamSpec("P")


@dataclasses.dataclass
class Order:
    name: str
    total: Decimal


class Point(msgspec.Struct):
    x: int


class Colour(enum.Enum):
    RED = "red"


class Opaque:
    def __repr__(self) -> str:
        return "Opaque()"  # a test's name must be the same in each process that collects it


@dataclasses.dataclass
class Picky:
    a: int

    def __post_init__(self) -> None:
        raise KeyError("whatever it likes")


DAY = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)

GOOD: list[tuple[Any, Any]] = [
    (int, 3),
    (int, -(2**63)),
    (float, 1.5),
    (float, 1),
    (str, "ü"),
    (bytes, b"\0"),
    (bool, True),
    (None, None),
    (list[int], [1, 2]),
    (tuple[int, str], (1, "a")),
    (set[int], {1, 2}),
    (dict[int, str], {1: "a"}),
    (int | None, None),
    (Order, Order("a", Decimal("1.10"))),
    (list[Order], [Order("a", Decimal(2))]),
    (Point, Point(3)),
    (Colour, Colour.RED),
    (uuid.UUID, uuid.UUID(int=5)),
    (datetime.datetime, DAY),
    (Literal["a", "b"], "b"),
    (Any, {"a": [1, None, b"x", DAY]}),
    (object, {"a": 1}),
    (list[object], [1, "a", None]),
    (Iterable[int], [1, 2]),
    (Hashable, "a"),
    (Path, Path("/a/b")),
    (Path | None, Path("/a/b")),
    (list[Path], [Path("a")]),
    (Annotated[int, msgspec.Meta(gt=0)], 1),
]


@pytest.mark.parametrize(("annotation", "value"), GOOD, ids=str)
def test_a_value_arrives_as_what_the_annotation_says(annotation, value):
    slot = Slot("f", "result", annotation)
    arrived = slot.decode(slot.encode(value))
    assert arrived == value
    if annotation not in (Any, float):
        assert type(arrived) is type(value)


BAD: list[tuple[Any, Any]] = [
    (int, "3"),
    (int, True),
    (int, 1.0),
    (int, None),
    (int, 2**70),
    (str, b"a"),
    (bytes, "a"),
    (bool, 1),
    (None, 0),
    (list[int], [1, "2"]),
    (tuple[int, str], (1,)),
    (dict[int, str], {"a": "a"}),
    (Order, {"name": 1, "total": "1"}),
    (Point, Point("not an int")),
    (Literal["a"], "b"),
    (Any, Opaque()),
    (Any, 2**70),
    (Path, 1),
    (Iterable[int], 5),
    (str, Opaque()),
    (Opaque, Opaque()),
    (Annotated[int, msgspec.Meta(gt=0)], 0),
    (Picky, {"a": 1}),
    (list[Any], [Opaque()]),
]


@pytest.mark.parametrize(("annotation", "value"), BAD, ids=str)
def test_a_value_of_another_type_is_refused_by_its_sender(annotation, value):
    with pytest.raises(PayloadError) as caught:
        Slot("shop:order", "result", annotation).encode(value)
    assert "shop:order: the result " in caught.value.what
    assert shown(type(value)) in caught.value.what


def test_a_value_that_is_none_of_messagepack_says_the_way_out():
    with pytest.raises(PayloadError, match="annotate the place") as caught:
        Slot("f", "result", Any).encode(Opaque())
    assert "Opaque" in caught.value.what


def test_values_that_refer_to_themselves_are_refused():
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(PayloadError):
        Slot("f", "result", Any).encode(endless)


@pytest.mark.parametrize(
    "payload", [b"", b"\xc1", b"\x91" * 100_000 + b"\x90", b"\xa5abc", b"\x01\x01"]
)
def test_a_payload_that_is_none_is_an_error_at_the_receiver(payload):
    for annotation in (Any, int, list[Any]):
        with pytest.raises(PayloadError, match="came from the other actor"):
            Slot("f", "result", annotation).decode(payload)


def test_an_annotation_that_can_not_cross_is_an_error_that_names_it():
    slot = Slot("f", "result", dict[int, str] | dict[str, int])
    with pytest.raises(PayloadError, match=r"annotated with dict\[int, str\]"):
        slot.encode({})
    with pytest.raises(PayloadError, match=r"annotated with dict\[int, str\]"):
        slot.decode(b"\x80")


def with_a_callback(a: int, then: dict[int, str] | dict[str, int] | None = None) -> NoReturn: ...


def passing_on(*args: P.args, **kwargs: P.kwargs) -> None: ...


def test_a_place_that_nothing_can_cross_does_no_harm_while_nothing_is_to():
    contract = Contract(with_a_callback, ASYNC)
    assert through(contract, 1) == ([1], {})
    with pytest.raises(PayloadError, match="argument 'then'"):
        contract.encode_arguments((1, {}), {})
    assert through(Contract(passing_on, ASYNC), 1, b="c") == ([1], {"b": "c"})


def order(a: int, b: str = "x", *more: float, key: bool = False, **rest: list[int]) -> Order: ...


def through(contract: Contract, *args: Any, **kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
    both = contract.encode_arguments(args, kwargs)
    positional, keywords = msgspec.msgpack.decode(b"\x92" + both, type=list[msgspec.Raw])
    return contract.decode_arguments(positional, keywords)


def test_arguments_arrive_typed():
    contract = Contract(order, ASYNC)
    assert through(contract, 1, "b", 2.5, 3, key=True, other=[1]) == (
        [1, "b", 2.5, 3.0],
        {"key": True, "other": [1]},
    )
    assert through(contract, a=1, b="c") == ([], {"a": 1, "b": "c"})


@pytest.mark.parametrize(
    ("args", "kwargs", "name"),
    [
        (("1",), {}, "'a'"),
        ((1, 2), {}, "'b'"),
        ((1, "b", "c"), {}, "'more'"),
        ((1,), {"key": 1}, "'key'"),
        ((1,), {"other": 1}, "'rest'"),
        ((), {"a": None}, "'a'"),
    ],
)
def test_an_argument_of_another_type_is_named(args, kwargs, name):
    with pytest.raises(PayloadError) as caught:
        Contract(order, ASYNC).encode_arguments(args, kwargs)
    assert f"order: the argument {name} must be" in caught.value.what


def unannotated(a, b=1): ...


def test_what_is_not_annotated_is_what_messagepack_makes_of_it():
    contract = Contract(unannotated, ASYNC)
    assert through(contract, (1, {2}), b=Order("a", Decimal(1))) == (
        [[1, [2]]],
        {"b": {"name": "a", "total": "1"}},
    )
    with pytest.raises(PayloadError, match="argument 'a'"):
        contract.encode_arguments((Opaque(),), {})


def arguments_too_many(a: int) -> None: ...


def test_too_many_arguments_are_left_to_the_function():
    assert through(Contract(arguments_too_many, ASYNC), 1, 2, c=3) == ([1, 2], {"c": 3})


def half_typed(a: int, path: Fraction) -> int: ...


def test_an_annotation_that_exists_for_type_checkers_alone_allows_everything():
    contract = Contract(half_typed, ASYNC)
    assert through(contract, 1, {"any": 1}) == ([1, {"any": 1}], {})
    with pytest.raises(PayloadError):
        contract.encode_arguments(("1", 1), {})
    with pytest.raises(PayloadError):
        contract.result.encode("1")


async def ticker(ctx: Context[int, str, bytes], a: float) -> bool: ...


async def loose(ctx: Context, a: float) -> None: ...


async def bare(ctx, a: float) -> None: ...


def test_a_context_says_what_may_cross_on_its_stream():
    contract = Contract(ticker, CONTEXT)
    assert contract.sends.decode(contract.sends.encode(1)) == 1
    for slot, bad in (
        (contract.sends, "a"),
        (contract.receives, 1),
        (contract.first, "a"),
        (contract.result, 1),
    ):
        with pytest.raises(PayloadError):
            slot.encode(bad)
    assert through(contract, 1.5) == ([1.5], {})
    with pytest.raises(PayloadError, match="'a'"):
        contract.encode_arguments(("1",), {})


@pytest.mark.parametrize("function", [loose, bare])
def test_a_context_that_says_nothing_allows_everything(function):
    contract = Contract(function, CONTEXT)
    for slot in (contract.sends, contract.receives, contract.first):
        assert slot.decode(slot.encode({"a": 1})) == {"a": 1}
    with pytest.raises(PayloadError, match="'a'"):
        contract.encode_arguments(("1",), {})


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (None, "None"),
        (type(None), "None"),
        (list[int], "list[int]"),
        (Any, "Any"),
        (Point, f"{__name__}.Point"),
    ],
)
def test_an_annotation_is_shown_as_it_is_written(annotation, text):
    assert shown(annotation) == text


def test_a_value_of_the_right_type_with_a_wrong_part_says_where():
    with pytest.raises(PayloadError, match=r"the result is .*Point, but something in it") as caught:
        Slot("shop:order", "result", Point).encode(Point("not an int"))
    assert "$.x" in caught.value.hint


def test_a_number_that_is_too_large_is_said_to_be_no_payload():
    with pytest.raises(PayloadError, match="can't cross to another actor: it is int") as caught:
        Slot("shop:order", "result", int).encode(2**70)
    assert "2**64" in caught.value.hint
