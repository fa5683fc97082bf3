"""The operators of strict expressions: each looks at its operands before it runs.

An operator is a function of the operands and the meter. It gives the value, or raises ``Unsafe``
where a user's method would run or the outcome would be huge, or whatever the operator raises.
"""

from __future__ import annotations

import _operator as operator  # `operator` makes the same names anew, in Python

from treetap.expression import tree as ast
from treetap.expression.reading import MISSING, Unsafe, find, owner_of, unsafe
from treetap.expression.safety import (
    ASKING_KINDS,
    EQUALITY,
    MAX_BITS,
    MAX_MADE,
    MAX_TEXT,
    ORDER,
    TEXT,
    Meter,
    charge,
    has_wide_number,
    require_hashable,
    require_keys,
    require_plain_dict,
    require_standard,
    scan,
    standard_iterator,
    standard_length,
    too_big,
)
from treetap.expression.standard import (
    ATOM_IDS,
    NUMBER_IDS,
    PLAIN_IDS,
    SEQUENCE_IDS,
    exact_kind,
    has_only_str_keys,
    kind_of,
    loaded,
    namespace_of,
    type_name,
)
from treetap.model.captured import NotCaptured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

BINARY: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("add", operator.add),
    ast.Sub: ("sub", operator.sub),
    ast.Mult: ("mul", operator.mul),
    ast.Div: ("truediv", operator.truediv),
    ast.FloorDiv: ("floordiv", operator.floordiv),
    ast.Mod: ("mod", operator.mod),
    ast.Pow: ("pow", operator.pow),
    ast.LShift: ("lshift", operator.lshift),
    ast.RShift: ("rshift", operator.rshift),
    ast.BitOr: ("or", operator.or_),
    ast.BitXor: ("xor", operator.xor),
    ast.BitAnd: ("and", operator.and_),
}
UNARY: dict[type[ast.unaryop], tuple[str, Callable[[Any], Any]]] = {
    ast.UAdd: ("pos", operator.pos),
    ast.USub: ("neg", operator.neg),
    ast.Invert: ("invert", operator.invert),
}
COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}

_SIZED_TEXT = frozenset({"str", "bytes", "bytearray"})
_SIZED_ITEMS = frozenset({"list", "tuple", "deque"})
#: An operator on a subclass of these calls the subclass to make the outcome.
_CONSTRUCTING = frozenset({"deque", "datetime", "date", "time", "timedelta"})
_SETS = frozenset({"set", "frozenset"})


def binary(kind: type[ast.operator], left: Any, right: Any, meter: Meter) -> Any:
    """``left OP right``."""
    name, operate = BINARY[kind]
    if id(type(left)) in NUMBER_IDS and id(type(right)) in NUMBER_IDS:
        if name in _GROWING:
            _bound_numbers(name, left, right)
        return operate(left, right)
    left_kind, right_kind = kind_of(type(left)), kind_of(type(right))
    kinds = {left_kind, right_kind}
    for value, method in ((left, f"__{name}__"), (right, f"__r{name}__")):
        if find(type(value), method) is not MISSING:
            require_standard(type(value), method)
    if "class" in kinds:
        raise unsafe("an operator on a class")
    if None in {exact_kind(type(left)), exact_kind(type(right))}:
        if kinds & ASKING_KINDS:
            raise unsafe("a decimal or fraction asks the other value for its class")
        if kinds & _CONSTRUCTING:
            raise unsafe("the operator makes another one of a class of the program")
        for value, its_kind in ((left, left_kind), (right, right_kind)):
            if its_kind == "dict":
                require_plain_dict(type(value))
    _bound(name, left, right, left_kind, right_kind, meter)
    if "decimal" in kinds:
        return _in_decimal_context(operate, left, right)
    return operate(left, right)


def _bound(name: str, left: Any, right: Any, left_kind: str, right_kind: str, meter: Meter) -> None:
    """Raise ``Unsafe`` if the outcome is too big, or items would be compared by user code."""
    kinds = {left_kind, right_kind}
    if name == "mod" and left_kind in _SIZED_TEXT:
        _bound_format(left, right, meter)
    elif kinds & _SIZED_TEXT:
        made = _made(name, left, right, left_kind, right_kind)
        if made > MAX_TEXT:
            raise too_big(f"{made} characters")
        charge(meter, made >> 6)
    elif kinds & _SIZED_ITEMS:
        made = _made(name, left, right, left_kind, right_kind)
        if made > MAX_MADE:
            raise too_big(f"{made} items")
        charge(meter, made >> 2)
    elif kinds & _SETS or kinds & {"dict", "view"}:
        for value, kind in ((left, left_kind), (right, right_kind)):
            if kind in _SETS or kind in {"dict", "view"}:
                require_keys(meter, value)
                charge(meter, standard_length(value, kind))
    elif kinds <= {"int", "bool", "float"} and name in _GROWING:
        _bound_numbers(name, _number(left, left_kind), _number(right, right_kind))
    elif kinds & {"decimal", "fraction"}:
        # An integer becomes a decimal first, in time that grows with the square of its digits.
        if name == "pow":
            raise too_big("a power")
        scan(meter, (), left, right)
    elif kinds & {"datetime", "time"}:
        scan(meter, (), left, right)


_GROWING = frozenset({"mul", "pow", "lshift"})


def _number(value: Any, kind: str) -> Any:
    return float.__float__(value) if kind == "float" else int.__int__(value)


def _bound_numbers(name: str, left: Any, right: Any) -> None:
    """Refuse an integer of too many bits before it is computed."""
    if not (isinstance(left, int) and isinstance(right, int)):
        return
    bits = left.bit_length()
    if name == "mul":
        made = bits + right.bit_length()
    elif name == "lshift":
        made = bits + right
    else:
        made = bits * abs(right) if bits > 1 else 0
    if made > MAX_BITS and made > 2 * max(bits, right.bit_length()):
        raise too_big("an integer of very many bits")
    if name == "mul" and made > 10 * MAX_BITS:
        raise too_big("an integer of very many bits")


def _bound_format(left: Any, right: Any, meter: Meter) -> None:
    if type(left) is not str:
        raise unsafe("% of something that is not exactly a str")
    # Python's own % formats at any width that it is told.
    if len(left) > MAX_MADE or "*" in left or has_wide_number(left):
        raise too_big("a format with a width")
    scan(meter, TEXT, right)


def _made(name: str, left: Any, right: Any, left_kind: str, right_kind: str) -> int:
    """How many items ``left * right`` or ``left + right`` makes."""
    sizes = standard_length(left, left_kind), standard_length(right, right_kind)
    if name != "mul":
        return sum(sizes)
    if left_kind in {"int", "bool"}:
        return int.__int__(left) * sizes[1]
    return sizes[0] * int.__int__(right) if right_kind in {"int", "bool"} else 0


def _in_decimal_context(operate: Callable[..., Any], *operands: Any) -> Any:
    """Run in a copy of the thread's decimal context: its flags belong to the program."""
    with loaded("decimal", "localcontext")():
        return operate(*operands)


def unary(kind: type[ast.unaryop], value: Any) -> Any:
    """``OP value``."""
    name, operate = UNARY[kind]
    if id(type(value)) in NUMBER_IDS:
        if type(value) is bool and name == "invert":
            return ~int(value)  # without Python's own warning about it
        return operate(value)
    if find(type(value), f"__{name}__") is not MISSING:
        require_standard(type(value), f"__{name}__")
    if kind_of(type(value)) == "decimal":
        return _in_decimal_context(operate, value)
    return operate(value)


def compare(kind: type[ast.cmpop], left: Any, right: Any, meter: Meter) -> Any:
    """``left OP right`` for a comparison, ``is`` and ``in``."""
    if kind is ast.Is:
        return left is right
    if kind is ast.IsNot:
        return left is not right
    if kind is ast.In or kind is ast.NotIn:
        return contains(right, left, meter) is (kind is ast.In)
    if id(type(left)) in ATOM_IDS and id(type(right)) in ATOM_IDS:
        return COMPARE[kind](left, right)
    is_equality = kind is ast.Eq or kind is ast.NotEq
    scan(meter, EQUALITY if is_equality else ORDER, left, right)
    if "decimal" in {kind_of(type(left)), kind_of(type(right))}:
        return _in_decimal_context(COMPARE[kind], left, right)
    return COMPARE[kind](left, right)


def contains(container: Any, item: Any, meter: Meter) -> bool:
    """``item in container``."""
    cls = type(container)
    kind = kind_of(cls)
    if kind in {"str", "bytes", "bytearray", "range"}:
        require_standard(cls, "__contains__")
        both_are_str = kind_of(type(item)) == "str" and kind == "str"
        # Python itself knows these not to be a number or bytes. (`kind_of` above has learned it.)
        is_builtin = id(type(item)) in PLAIN_IDS
        if not is_builtin and not both_are_str:
            raise unsafe(f"{type_name(type(item))} may be asked for its number or its bytes")
        if kind == "range" and type(item) is not int:
            # Compared with one number after the other.
            charge(meter, standard_length(container, kind))
        return item in container
    if kind in {"dict", "set", "frozenset"}:
        require_standard(cls, "__contains__")
        require_hashable(meter, item)
        require_keys(meter, container)
        return item in container
    if kind == "view" or kind in _SIZED_ITEMS:
        if kind != "view":
            require_standard(cls, "__contains__")
        items = list(iterate(container, meter))
        scan(meter, EQUALITY, item, *items)
        return item in items
    if find(cls, "__contains__") is MISSING and find(cls, "__iter__") is MISSING:
        raise TypeError(f"argument of type {type_name(cls)!r} is not iterable")
    raise unsafe(f"{type_name(cls)} has its own __contains__")


def subscript(container: Any, key: Any, meter: Meter) -> Any:
    """``container[key]``."""
    cls = type(container)
    if cls is dict and type(key) is str and has_only_str_keys(container):
        return container[key]
    if type(key) is int and (cls is list or cls is tuple or cls is str):
        return container[key]
    kind = kind_of(cls)
    if kind == "dict":
        return _item_of_dict(container, cls, key, meter)
    if kind == "ndarray":
        return _item_of_array(container, key)
    owner = owner_of(cls, "__getitem__")
    if owner is None:
        if kind == "class":
            raise unsafe("a subscript of a class")
        raise TypeError(f"{type_name(cls)!r} object is not subscriptable")
    require_standard(cls, "__getitem__")
    if type(key) is slice:
        _bound_slice(container, key, meter)
    else:
        _require_index(key)
    return namespace_of(owner)["__getitem__"](container, key)


def _item_of_dict(container: Any, cls: type, key: Any, meter: Meter) -> Any:
    require_standard(cls, "__getitem__")
    if type(key) is not str:
        require_hashable(meter, key)
    require_keys(meter, container)
    found = dict.get(container, key, MISSING)
    if found is not MISSING:
        return found
    missing = owner_of(cls, "__missing__")
    if missing is None:
        raise KeyError(key)
    if missing is loaded("collections", "Counter"):
        return 0
    # A defaultdict would insert the default: that changes the program.
    raise unsafe(f"{type_name(cls)} has a __missing__")


def _item_of_array(array: Any, key: Any) -> Any:
    """An item or a slice of an exact numpy array that holds no Python objects."""
    if exact_kind(type(array)) != "ndarray" or array.dtype.hasobject:
        raise unsafe(f"{type_name(type(array))} has its own __getitem__")
    for part in key if type(key) is tuple else (key,):
        if type(part) is slice:
            for bound in (part.start, part.stop, part.step):
                _require_index(bound)
        elif part is not ...:
            _require_index(part)
    return array[key]


def _require_index(key: Any) -> None:
    if key is not None and type(key) is not int and find(type(key), "__index__") is not MISSING:
        require_standard(type(key), "__index__")


def _bound_slice(container: Any, key: slice, meter: Meter) -> None:
    for bound in (key.start, key.stop, key.step):
        _require_index(bound)
    if type(container) is range:
        return
    require_standard(type(container), "__len__")
    made = len(range(*key.indices(len(container))))
    is_text = kind_of(type(container)) in _SIZED_TEXT
    if made > (MAX_TEXT if is_text else MAX_MADE):
        raise too_big(f"a slice of {made}")
    charge(meter, made >> (6 if is_text else 2))


class Stream:
    """A generator of our own, the value of a generator expression. Never leaves an expression."""

    __slots__ = ("items",)

    def __init__(self, items: Iterator[Any]) -> None:
        self.items = items


def iterate(value: Any, meter: Meter) -> Iterator[Any]:
    """The items of ``value``; each is a step. Never of an iterator: that would be used up."""
    cls = type(value)
    if cls is Stream:
        yield from value.items
        return
    if id(cls) in SEQUENCE_IDS:
        items = iter(value)
    else:
        kind = kind_of(cls)
        if kind == "view":
            items = iter(value)
        elif find(cls, "__next__") is not MISSING:
            raise Unsafe(NotCaptured.UNSAFE, "iterating it would use it up", is_final=True)
        elif find(cls, "__iter__") is MISSING and find(cls, "__getitem__") is MISSING:
            raise TypeError(f"{type_name(cls)!r} object is not iterable")
        else:
            items = standard_iterator(value, "__iter__", kind)
    for item in items:
        charge(meter, 1)
        yield item
