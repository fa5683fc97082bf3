"""Whether an operation on values would run only code of standard types, within bounds.

A strict evaluation has a meter: a list with one number, the steps that are left. Whatever looks at
a value pays for it here, so that neither ``sum(huge)`` nor a comparison of two deep structures
holds the program up. A step is one node looked at or 64 characters.
"""

from __future__ import annotations

from treetap.expression.reading import MISSING, Unsafe, find, owner_of, unsafe
from treetap.expression.standard import (
    ATOM_IDS,
    DICT_IDS,
    LEARNED,
    PLAIN_IDS,
    SEQUENCE_IDS,
    exact_kind,
    has_only_str_keys,
    kind_of,
    type_name,
)
from treetap.interpreter import deque
from treetap.model.captured import NotCaptured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

Meter = list[int]

#: Steps of one strict evaluation.
MAX_STEPS: Final = 10_000
#: Items that an operation may make: a slice, a sum of two lists.
MAX_MADE: Final = 10_000
#: Characters that an operation may make.
MAX_TEXT: Final = 1_000_000
#: Bits of an integer that is written in digits: CPython's own limit, which a program may lift.
MAX_TEXT_BITS: Final = 14_000
#: Bits of an integer that an operation may make.
MAX_BITS: Final = 10_000

EQUALITY: Final = ("__eq__", "__ne__")
ORDER: Final = ("__eq__", "__lt__", "__le__", "__gt__", "__ge__")
HASHING: Final = ("__hash__", "__eq__")
TEXT: Final = ("__str__", "__repr__", "__format__")

_TEXT_IDS = frozenset({id(str), id(bytes)})
_ITERABLE_KINDS = frozenset({"list", "tuple", "set", "frozenset", "deque"})
#: Kinds whose methods run no code but their own, whatever the instance holds.
_SOUND_KINDS = frozenset(
    {"int", "bool", "float", "complex", "str", "bytes", "bytearray", "none", "constant", "list"}
    | {"tuple", "dict", "set", "frozenset", "deque", "range", "datetime", "date", "time"}
    | {"timedelta", "timezone", "decimal", "fraction", "uuid", "zone", "array", "object", "class"}
    | {"memoryview", "function", "builtin", "module", "view", "enum", "exception"}
)
#: Beside containers and atoms, what `str()` may be asked of.
_TEXT_KINDS = frozenset({"int", "float", "date", "timedelta", "timezone", "decimal", "fraction"})
#: These ask what the other operand is by ``isinstance``, which runs a ``__class__`` property.
ASKING_KINDS: Final = frozenset({"decimal", "fraction", "uuid"})


def charge(meter: Meter, steps: int) -> None:
    """Pay ``steps``; raise ``Unsafe`` (size) if there aren't that many left."""
    left = meter[0] - steps
    if left < 0:
        raise too_big()
    meter[0] = left


def too_big(detail: str = "") -> Unsafe:
    return Unsafe(NotCaptured.SIZE, detail)


def has_wide_number(text: str) -> bool:
    """Whether a width or a precision of four digits may be in it: more than anybody reads."""
    digits = 0
    for char in text:
        digits = digits + 1 if char.isdecimal() else 0
        if digits == 4:
            return True
    return False


def require_standard(cls: type, method: str) -> type:
    """The class that gives ``cls`` its ``method``; raise ``Unsafe`` if that is user code."""
    owner = owner_of(cls, method)
    if owner is None:
        raise unsafe(f"{type_name(cls)} has no {method}")
    kind = exact_kind(owner)
    if kind not in _SOUND_KINDS or (kind == "view" and cls is not owner):
        raise unsafe(f"{type_name(owner)} has its own {method}")
    return owner


def is_standard(cls: type, method: str) -> bool:
    """Whether ``method`` of ``cls`` is there, and that of a standard type."""
    owner = owner_of(cls, method)
    kind = exact_kind(owner) if owner is not None else None
    return kind in _SOUND_KINDS and (kind != "view" or cls is owner)


def scan(meter: Meter, methods: tuple[str, ...], *values: Any) -> None:
    """Raise ``Unsafe`` unless ``methods`` of these values, and of all in them, are harmless.

    Cycles and huge structures end with the meter.
    """
    stack = list(values)
    is_asking = is_foreign = is_big = False
    while stack:
        value = stack.pop()
        cls = type(value)
        ident = id(cls)
        if ident in ATOM_IDS:
            charge(meter, 1 + (len(value) >> 6) if ident in _TEXT_IDS else 1)
            if type(value) is int and value.bit_length() > MAX_TEXT_BITS:
                is_big = True
            continue
        charge(meter, 1)
        if ident in SEQUENCE_IDS:
            charge(meter, len(value) >> 2)
            stack += value
        elif ident in DICT_IDS:
            _push_dict(meter, stack, value)
        else:
            for method in methods:
                require_standard(cls, method)
            kind = kind_of(cls)
            is_asking = is_asking or kind in ASKING_KINDS
            is_foreign = is_foreign or exact_kind(cls) is None
            _push_parts(meter, stack, value, kind, methods)
    if is_big and (is_asking or methods is TEXT):
        raise too_big("the digits of an integer")
    if is_asking and is_foreign:
        raise unsafe("a decimal, fraction or UUID asks the other value for its class")


def _push_dict(meter: Meter, stack: list[Any], value: Any) -> None:
    charge(meter, dict.__len__(value) >> 2)
    stack += dict.keys(value)
    stack += dict.values(value)


def _push_parts(
    meter: Meter, stack: list[Any], value: Any, kind: str, methods: tuple[str, ...]
) -> None:
    """The parts of a value of a subclass, or of a type that delegates to a part of it."""
    cls = type(value)
    if kind in _ITERABLE_KINDS:
        items = standard_iterator(value, "__iter__", kind)
        stack += items
    elif kind == "dict":
        _push_dict(meter, stack, value)
    elif kind in {"datetime", "time"}:
        require_known_zone(value)
    elif kind in {"str", "bytes", "bytearray"}:
        charge(meter, standard_length(value, kind) >> 6)
    elif kind == "exception":
        stack.append(BaseException.args.__get__(value))  # type: ignore[attr-defined]
    elif kind == "enum":
        _require_plain_member(cls, methods)
    elif kind in {"view", "memoryview", "array"}:
        raise unsafe(f"a {type_name(cls)} refers to values of somebody else")
    elif methods is TEXT and kind not in _TEXT_KINDS:
        raise unsafe(f"{type_name(cls)} has no text that is known to be harmless")


def _require_plain_member(cls: type, methods: tuple[str, ...]) -> None:
    """An enum hashes its ``_name_``, which is its own as long as the class has none."""
    owner = owner_of(cls, "__getattribute__")
    if methods is TEXT or owner is not object or find(cls, "_name_") is not MISSING:
        raise unsafe(f"{type_name(cls)} is an enum")


_LENGTHS: dict[str, Any] = {
    "list": list.__len__,
    "tuple": tuple.__len__,
    "set": set.__len__,
    "frozenset": frozenset.__len__,
    "deque": deque.__len__,
    "dict": dict.__len__,
    "str": str.__len__,
    "bytes": bytes.__len__,
    "bytearray": bytearray.__len__,
    "range": range.__len__,
}


def standard_length(value: Any, kind: str) -> int:
    """How many items a value of a standard kind really has, whatever its ``__len__`` says."""
    length = _LENGTHS.get(kind)
    return length(value) if length else 0


_ITERATORS: dict[str, Any] = {
    "list": list.__iter__,
    "tuple": tuple.__iter__,
    "set": set.__iter__,
    "frozenset": frozenset.__iter__,
    "deque": deque.__iter__,
    "dict": dict.__iter__,
    "str": str.__iter__,
    "bytes": bytes.__iter__,
    "bytearray": bytearray.__iter__,
    "range": range.__iter__,
}


def standard_iterator(value: Any, method: str, kind: str) -> Any:
    """An iterator of the standard type that ``value`` inherits ``method`` from."""
    if kind not in _ITERATORS or not is_standard(type(value), method):
        raise unsafe(f"{type_name(type(value))} has its own {method}")
    return _ITERATORS[kind](value)


def require_known_zone(moment: Any) -> None:
    """Raise ``Unsafe`` if a datetime or time has a time zone whose offset is user code."""
    kind = "datetime" if kind_of(type(moment)) == "datetime" else "time"
    zone = LEARNED[kind].tzinfo.__get__(moment)
    if zone is not None and exact_kind(type(zone)) not in {"timezone", "zone"}:
        raise unsafe(f"its time zone is a {type_name(type(zone))}")


def require_hashable(meter: Meter, key: Any) -> None:
    """Raise ``Unsafe`` if hashing ``key``, or comparing it with its like, runs user code."""
    if id(type(key)) not in ATOM_IDS:
        scan(meter, HASHING, key)


def require_keys(meter: Meter, container: Any) -> None:
    """Raise ``Unsafe`` if looking something up in a set or dict may run a key's ``__eq__``.

    It runs where the hashes are equal. A dict whose keys are all exactly ``str`` is known in
    constant time; of every other one each key is looked at, so a big one is too big.
    """
    kind = kind_of(type(container))
    if kind == "dict":
        if has_only_str_keys(container):
            return
    elif kind not in {"set", "frozenset"}:
        raise unsafe(f"a {type_name(type(container))} refers to keys of somebody else")
    keys = _ITERATORS[kind](container)
    count = standard_length(container, kind)
    if count > MAX_STEPS:
        raise too_big("keys that aren't all plain strings")
    charge(meter, count >> 3)
    keys = list(keys)
    idents = set(map(id, map(type, keys)))
    if not idents <= ATOM_IDS:
        scan(meter, EQUALITY, *(key for key in keys if id(type(key)) not in ATOM_IDS))


def require_plain_dict(cls: type) -> None:
    """Raise ``Unsafe`` unless a dict of this class is copied in C, without asking it."""
    for method in ("__iter__", "keys", "__getitem__"):
        require_standard(cls, method)


def truth(value: Any) -> bool:
    """Whether ``value`` is true, if finding out runs no user code."""
    cls = type(value)
    if id(cls) in PLAIN_IDS:
        return bool(value)
    for method in ("__bool__", "__len__"):
        if find(cls, method) is not MISSING:
            require_standard(cls, method)
            return bool(value)
    return True
