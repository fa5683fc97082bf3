"""The methods that a strict expression may call: pure ones, of builtin types.

The type's own function is called, never one that the value's class has put over it, and only after
the arguments were looked at: a key is hashed, an item compared, a codec looked up, a text made
wide.
"""

from __future__ import annotations

from treetap.expression.function import collect, require_scalar
from treetap.expression.grammar import METHODS_OF
from treetap.expression.operation import Stream
from treetap.expression.reading import MISSING, find, owner_of, unsafe
from treetap.expression.safety import (
    EQUALITY,
    MAX_STEPS,
    MAX_TEXT,
    Meter,
    charge,
    require_hashable,
    require_keys,
    require_known_zone,
    scan,
    standard_length,
    too_big,
)
from treetap.expression.standard import (
    exact_kind,
    kind_of,
    namespace_of,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def call_method(
    value: Any, name: str, positional: tuple[Any, ...], named: dict[str, Any], meter: Meter
) -> Any:
    """``value.name(…)`` for a pure method that ``value`` has from a builtin type."""
    cls = type(value)
    owner = owner_of(cls, name)
    if owner is None:
        if find(cls, "__getattr__") is MISSING and exact_kind(cls) is not None:
            raise AttributeError(f"{type_name(cls)!r} object has no attribute {name!r}")
        raise unsafe(f"{type_name(cls)} may have its own {name}")
    kind = exact_kind(owner)
    if kind is None or name not in METHODS_OF.get(kind, ()) or kind != kind_of(owner):
        raise unsafe(f"the call of {type_name(owner)}.{name}()")
    if find(cls, "__getattribute__") is MISSING or not _reads_plainly(cls):
        raise unsafe(f"{type_name(cls)} has its own __getattribute__")
    prepare = _PREPARE.get((kind, name)) or _PREPARE.get((kind, "")) or _plain_arguments
    arguments = [list(a.items) if type(a) is Stream else a for a in positional]
    arguments = prepare(meter, value, kind, arguments)
    for keyword, argument in named.items():
        if keyword not in _KEYWORDS:
            raise unsafe(f"the argument {keyword}=, which is only looked at by its place")
        require_scalar(argument)
    if kind == "dict" and name in {"keys", "values", "items"}:
        return getattr(dict, name)(value)
    return namespace_of(owner)[name](value, *arguments, **named)


def _reads_plainly(cls: type) -> bool:
    return exact_kind(owner_of(cls, "__getattribute__") or object) is not None


#: Arguments that may be given by name: none of them makes anything huge, or looks up code.
_KEYWORDS = frozenset({"sep", "maxsplit", "keepends", "timespec", "byteorder", "signed"})


def _plain_arguments(meter: Meter, _value: Any, _kind: str, arguments: list[Any]) -> list[Any]:
    for argument in arguments:
        require_scalar(argument)
    return arguments


def _text_arguments(meter: Meter, value: Any, kind: str, arguments: list[Any]) -> list[Any]:
    """Plain texts and numbers, or a tuple of texts; no widths that make a huge text."""
    charge(meter, standard_length(value, kind) >> 6)
    for argument in arguments:
        if type(argument) is tuple:
            for part in argument:
                require_scalar(part)
        else:
            require_scalar(argument)
            if type(argument) is int and abs(argument) > MAX_TEXT:
                return [
                    min(max(a, -MAX_TEXT), MAX_TEXT) if type(a) is int else a for a in arguments
                ]
    return arguments


def _width_arguments(meter: Meter, value: Any, kind: str, arguments: list[Any]) -> list[Any]:
    arguments = _text_arguments(meter, value, kind, arguments)
    if any(type(argument) is int and argument > MAX_STEPS for argument in arguments):
        raise too_big("a text with a width")
    return arguments


def _replace_arguments(meter: Meter, value: Any, kind: str, arguments: list[Any]) -> list[Any]:
    arguments = _text_arguments(meter, value, kind, arguments)
    if len(arguments) > 1 and type(arguments[1]) is str:
        made = (standard_length(value, kind) + 1) * max(1, len(arguments[1]))
        if made > MAX_TEXT:
            raise too_big("a replaced text")
    return arguments


def _join_arguments(meter: Meter, value: Any, kind: str, arguments: list[Any]) -> list[Any]:
    if len(arguments) != 1:
        return arguments
    items = collect(arguments[0], meter)
    made = 0
    for item in items:
        require_scalar(item)
        made += standard_length(value, kind)
        made += len(item) if type(item) is str else 0
    if made > MAX_TEXT:
        raise too_big("a joined text")
    return [items]


_CODECS = frozenset({"utf-8", "utf8", "ascii", "latin-1", "latin1", "utf-16", "utf-32"})
_ON_ERROR = frozenset({"strict", "ignore", "replace", "backslashreplace", "surrogateescape"})


def _codec_arguments(meter: Meter, value: Any, kind: str, arguments: list[Any]) -> list[Any]:
    """Only codecs of CPython itself: others are looked up among what the program registered."""
    arguments = _text_arguments(meter, value, kind, arguments)
    for argument, known in zip(arguments, (_CODECS, _ON_ERROR), strict=False):
        if type(argument) is not str or argument.lower() not in known:
            raise unsafe("a codec that may be the program's own")
    return arguments


def _equality_arguments(meter: Meter, value: Any, _kind: str, arguments: list[Any]) -> list[Any]:
    scan(meter, EQUALITY, value, *arguments)
    return arguments


def _range_arguments(_meter: Meter, _value: Any, _kind: str, arguments: list[Any]) -> list[Any]:
    if any(type(argument) is not int for argument in arguments):
        raise too_big("a search through a whole range")
    return arguments


def _key_arguments(meter: Meter, value: Any, _kind: str, arguments: list[Any]) -> list[Any]:
    if arguments:
        require_hashable(meter, arguments[0])
        require_keys(meter, value)
    return arguments


def _set_arguments(meter: Meter, value: Any, kind: str, arguments: list[Any]) -> list[Any]:
    charge(meter, standard_length(value, kind))
    require_keys(meter, value)
    sources = [collect(argument, meter) for argument in arguments]
    for items in sources:
        require_hashable(meter, tuple(items))
    return sources


def _copy_arguments(meter: Meter, value: Any, kind: str, arguments: list[Any]) -> list[Any]:
    if exact_kind(type(value)) is None:
        raise unsafe(f"copying makes another {type_name(type(value))}")
    charge(meter, standard_length(value, kind))
    if kind in {"set", "frozenset", "dict"}:
        require_keys(meter, value)
    return arguments


def _zoned_arguments(meter: Meter, value: Any, _kind: str, arguments: list[Any]) -> list[Any]:
    require_known_zone(value)
    return _plain_arguments(meter, value, _kind, arguments)


def _bytes_arguments(meter: Meter, value: Any, kind: str, arguments: list[Any]) -> list[Any]:
    arguments = _plain_arguments(meter, value, kind, arguments)
    if arguments and type(arguments[0]) is int and arguments[0] > MAX_STEPS:
        raise too_big("very many bytes")
    return arguments


_PREPARE: dict[tuple[str, str], Callable[[Meter, Any, str, list[Any]], list[Any]]] = {
    ("str", ""): _text_arguments,
    ("bytes", ""): _text_arguments,
    ("bytearray", ""): _text_arguments,
    ("str", "replace"): _replace_arguments,
    ("str", "join"): _join_arguments,
    ("str", "encode"): _codec_arguments,
    ("bytes", "decode"): _codec_arguments,
    ("bytearray", "decode"): _codec_arguments,
    **{("str", name): _width_arguments for name in ("center", "ljust", "rjust", "zfill")},
    ("str", "expandtabs"): _width_arguments,
    ("int", "to_bytes"): _bytes_arguments,
    **{(kind, ""): _equality_arguments for kind in ("list", "tuple", "deque")},
    ("range", ""): _range_arguments,
    **{(kind, "copy"): _copy_arguments for kind in ("list", "deque", "dict", "set", "frozenset")},
    ("dict", "get"): _key_arguments,
    **{(kind, ""): _set_arguments for kind in ("set", "frozenset")},
    **{(kind, ""): _zoned_arguments for kind in ("datetime", "time")},
}
