"""The functions and methods that a strict expression may call, each made safe for any argument.

Functions that Python would let call methods of their arguments are done in our own way, or only
after the arguments were looked at. What yields lazily in Python (``zip``, ``enumerate``,
``reversed``) gives a list here, bounded by the meter.
"""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING, Any, Final

from treetap.expression.grammar import METHODS_OF
from treetap.expression.operation import Stream, binary, iterate
from treetap.expression.reading import MISSING, Unsafe, find, owner_of, unsafe
from treetap.expression.safety import (
    EQUALITY,
    MAX_STEPS,
    MAX_TEXT,
    ORDER,
    Meter,
    charge,
    require_hashable,
    require_keys,
    require_known_zone,
    require_standard,
    scan,
    standard_length,
    too_big,
    truth,
)
from treetap.expression.standard import (
    ATOM_IDS,
    DICT_IDS,
    NUMBER_IDS,
    SIZED_IDS,
    exact_kind,
    kind_of,
    mro_of,
    namespace_of,
    type_name,
)
from treetap.expression.text import formatted, plain_text
from treetap.model.captured import NotCaptured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def function(callee: Any, positional: tuple[Any, ...], named: dict[str, Any], meter: Meter) -> Any:
    """Call one of ``grammar.FUNCTIONS``, if ``callee`` is the real one."""
    pure = _FUNCTIONS.get(id(callee))
    if pure is None:
        raise unsafe("the call of a function of the program")
    return pure(meter, *positional, **named)


def iterate_any(value: Any, meter: Meter) -> Iterator[Any]:
    """As ``iterate``, but user classes iterate in their own way. Never an iterator itself."""
    try:
        items: Any = list(iterate(value, meter))
    except Unsafe as exc:
        if not exc.would_run_code:
            raise
        items = iter(value)
        if items is value:
            raise Unsafe(
                NotCaptured.UNSAFE, "iterating it would use it up", is_final=True
            ) from None
    for item in items:
        charge(meter, 1)
        yield item


def _items(value: Any, meter: Meter) -> list[Any]:
    if type(value) is list or type(value) is tuple:
        charge(meter, len(value))
        return list(value)
    return list(iterate(value, meter))


def _len(_meter: Meter, value: Any, /) -> int:
    cls = type(value)
    if id(cls) in SIZED_IDS:
        return len(value)
    if find(cls, "__len__") is MISSING:
        raise TypeError(f"object of type {type_name(cls)!r} has no len()")
    if exact_kind(cls) != "ndarray":
        require_standard(cls, "__len__")
    return len(value)


def _abs(_meter: Meter, value: Any, /) -> Any:
    if id(type(value)) not in NUMBER_IDS:
        _require_number(value, "__abs__")
    return abs(value)


def _require_number(value: Any, method: str) -> None:
    if find(type(value), method) is not MISSING:
        require_standard(type(value), method)


def _extreme(real: Callable[..., Any]) -> Callable[..., Any]:
    def extreme(meter: Meter, *values: Any, default: Any = MISSING) -> Any:
        items = list(values) if len(values) != 1 else _items(values[0], meter)
        scan(meter, ORDER, *items)
        if not items and default is not MISSING:
            return default
        return real(items)

    return extreme


def _sum(meter: Meter, values: Any, /, start: Any = 0) -> Any:
    total = start
    if type(total) is str:
        raise TypeError("sum() can't sum strings [use ''.join(seq) instead]")
    for item in _items(values, meter):
        total = binary(ast.Add, total, item, meter)
    return total


def _any(meter: Meter, values: Any, /) -> bool:
    return any(truth(item) for item in iterate(values, meter))


def _all(meter: Meter, values: Any, /) -> bool:
    return all(truth(item) for item in iterate(values, meter))


def _sorted(meter: Meter, values: Any, /, *, reverse: Any = False) -> list[Any]:
    items = _items(values, meter)
    scan(meter, ORDER, *items)
    return sorted(items, reverse=truth(reverse))


def _str(meter: Meter, value: Any = "", /) -> str:
    return plain_text(value, "s", meter)


def _repr(meter: Meter, value: Any, /) -> str:
    return plain_text(value, "r", meter)


def _ascii(meter: Meter, value: Any, /) -> str:
    return plain_text(value, "a", meter)


def _format(meter: Meter, value: Any, spec: Any = "", /) -> str:
    return formatted(value, "", spec, meter)


def _bool(_meter: Meter, value: Any = False, /) -> bool:
    return truth(value)


def _int(meter: Meter, value: Any = 0, /, base: Any = MISSING) -> int:
    _require_scalar(value, "decimal", "fraction")
    if type(value) is str or type(value) is bytes:
        charge(meter, len(value) >> 2)
    if exact_kind(type(value)) == "decimal" and value.is_finite() and value.adjusted() > 4_000:
        raise too_big("the digits of an integer")
    if base is MISSING:
        return int(value)
    _require_scalar(base)
    return int(value, base)


def _float(meter: Meter, value: Any = 0.0, /) -> float:
    _require_scalar(value, "decimal", "fraction")
    if type(value) is str or type(value) is bytes:
        charge(meter, len(value) >> 2)
    return float(value)


def _complex(_meter: Meter, real: Any = 0, imag: Any = MISSING, /) -> complex:
    _require_scalar(real)
    if imag is MISSING:
        return complex(real)
    _require_scalar(imag)
    return complex(real, imag)


def _require_scalar(value: Any, *kinds: str) -> None:
    if id(type(value)) not in ATOM_IDS and exact_kind(type(value)) not in kinds:
        raise unsafe(f"{type_name(type(value))} is not a plain number or text")


def _scalar_function(real: Callable[..., Any], *kinds: str) -> Callable[..., Any]:
    """A function that is safe for plain numbers and text, and for nothing else."""

    def scalar(_meter: Meter, /, *values: Any) -> Any:
        for value in values:
            _require_scalar(value, *kinds)
        if any(type(value) is int and value.bit_length() > 14_000 for value in values):
            raise too_big("an integer of very many bits")
        return real(*values)

    return scalar


def _round(_meter: Meter, number: Any, /, ndigits: Any = None) -> Any:
    _require_scalar(number, "decimal", "fraction")
    _require_scalar(ndigits)
    if type(ndigits) is int and abs(ndigits) > 1_000:
        raise too_big("a rounding to very many digits")
    return round(number, ndigits)


def _divmod(meter: Meter, left: Any, right: Any, /) -> tuple[Any, Any]:
    return binary(ast.FloorDiv, left, right, meter), binary(ast.Mod, left, right, meter)


def _pow(meter: Meter, number: Any, exponent: Any, modulus: Any = None, /) -> Any:
    if modulus is None:
        return binary(ast.Pow, number, exponent, meter)
    for value in (number, exponent, modulus):
        if type(value) is not int or value.bit_length() > 4_096:
            raise too_big("a power of big integers")
    return pow(number, exponent, modulus)


def _list(meter: Meter, values: Any = (), /) -> list[Any]:
    return _items(values, meter)


def _tuple(meter: Meter, values: Any = (), /) -> tuple[Any, ...]:
    return tuple(_items(values, meter))


def _set(meter: Meter, values: Any = (), /) -> set[Any]:
    items = _items(values, meter)
    require_hashable(meter, tuple(items))
    return set(items)


def _frozenset(meter: Meter, values: Any = (), /) -> frozenset[Any]:
    return frozenset(_set(meter, values))


def _dict(meter: Meter, values: Any = (), /, **named: Any) -> dict[Any, Any]:
    if id(type(values)) in DICT_IDS:
        charge(meter, dict.__len__(values))
        require_keys(meter, values)
        pairs = list(dict.items(values))
    else:
        pairs = []
        for item in _items(values, meter):
            pair = _items(item, meter)
            if len(pair) != 2:
                raise ValueError("dict() takes pairs")
            require_hashable(meter, pair[0])
            pairs.append((pair[0], pair[1]))
    return {**dict(pairs), **named}


def _range(_meter: Meter, /, *bounds: Any) -> range:
    for bound in bounds:
        _require_scalar(bound)
    return range(*bounds)


def _enumerate(meter: Meter, values: Any, /, start: Any = 0) -> list[tuple[int, Any]]:
    _require_scalar(start)
    return list(enumerate(_items(values, meter), start))


def _zip(meter: Meter, /, *sources: Any, strict: Any = False) -> list[tuple[Any, ...]]:
    return list(zip(*(_items(source, meter) for source in sources), strict=truth(strict)))


def _reversed(meter: Meter, values: Any, /) -> list[Any]:
    if kind_of(type(values)) not in {"list", "tuple", "str", "range", "deque", "bytes"}:
        raise unsafe(f"{type_name(type(values))} may have its own __reversed__")
    return _items(values, meter)[::-1]


def _type(_meter: Meter, value: Any, /) -> type:
    return type(value)


def _isinstance(meter: Meter, value: Any, kinds: Any, /) -> bool:
    return _inherits(meter, type(value), kinds)


def _issubclass(meter: Meter, cls: Any, kinds: Any, /) -> bool:
    if kind_of(type(cls)) != "class":
        raise TypeError("issubclass() arg 1 must be a class")
    return _inherits(meter, cls, kinds)


def _inherits(meter: Meter, cls: type, kinds: Any) -> bool:
    """By the MRO. A class that decides for itself (an ABC) is believed only when it's in there."""
    charge(meter, 1)
    if type(kinds) is tuple:
        return any(_inherits(meter, cls, kind) for kind in kinds)
    if kind_of(type(kinds)) != "class":
        raise unsafe("isinstance() with something that is not a class")
    if any(klass is kinds for klass in mro_of(cls)):
        return True
    if owner_of(type(kinds), "__instancecheck__") is not type:
        raise unsafe(f"{type_name(kinds)} decides for itself what its instances are")
    return False


def _callable(_meter: Meter, value: Any, /) -> bool:
    return callable(value)


def _id(_meter: Meter, value: Any, /) -> int:
    return id(value)


_PURE: dict[str, Callable[..., Any]] = {
    "abs": _abs,
    "all": _all,
    "any": _any,
    "ascii": _ascii,
    "bin": _scalar_function(bin),
    "bool": _bool,
    "bytes": _scalar_function(lambda value: value if type(value) is bytes else b""),
    "callable": _callable,
    "chr": _scalar_function(chr),
    "complex": _complex,
    "dict": _dict,
    "divmod": _divmod,
    "enumerate": _enumerate,
    "float": _float,
    "format": _format,
    "frozenset": _frozenset,
    "hash": _scalar_function(hash, "uuid", "decimal", "fraction"),
    "hex": _scalar_function(hex),
    "id": _id,
    "int": _int,
    "isinstance": _isinstance,
    "issubclass": _issubclass,
    "len": _len,
    "list": _list,
    "max": _extreme(max),
    "min": _extreme(min),
    "oct": _scalar_function(oct),
    "ord": _scalar_function(ord),
    "pow": _pow,
    "range": _range,
    "repr": _repr,
    "reversed": _reversed,
    "round": _round,
    "set": _set,
    "sorted": _sorted,
    "str": _str,
    "sum": _sum,
    "tuple": _tuple,
    "type": _type,
    "zip": _zip,
}
_FUNCTIONS: Final = {id(getattr(builtins, name)): pure for name, pure in _PURE.items()}


def method(
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
    scan(meter, EQUALITY, *named.values())
    if kind == "dict" and name in {"keys", "values", "items"}:
        return getattr(dict, name)(value)
    return namespace_of(owner)[name](value, *arguments, **named)


def _reads_plainly(cls: type) -> bool:
    return exact_kind(owner_of(cls, "__getattribute__") or object) is not None


def _plain_arguments(meter: Meter, _value: Any, _kind: str, arguments: list[Any]) -> list[Any]:
    for argument in arguments:
        _require_scalar(argument)
    return arguments


def _text_arguments(meter: Meter, value: Any, kind: str, arguments: list[Any]) -> list[Any]:
    """Plain texts and numbers, or a tuple of texts; no widths that make a huge text."""
    charge(meter, standard_length(value, kind) >> 6)
    for argument in arguments:
        if type(argument) is tuple:
            for part in argument:
                _require_scalar(part)
        else:
            _require_scalar(argument)
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
    items = _items(arguments[0], meter)
    made = 0
    for item in items:
        _require_scalar(item)
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
    sources = [_items(argument, meter) for argument in arguments]
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
