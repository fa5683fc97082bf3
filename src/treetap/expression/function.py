"""The functions that a strict expression may call, each made safe for any argument.

Functions that Python would let call methods of their arguments are done in our own way, or only
after the arguments were looked at. What yields lazily in Python (``zip``, ``enumerate``,
``reversed``) gives a list here, bounded by the meter.
"""

from __future__ import annotations

import builtins

from treetap.expression import tree as ast
from treetap.expression.operation import binary, iterate
from treetap.expression.reading import MISSING, Unsafe, find, owner_of, unsafe
from treetap.expression.safety import (
    ORDER,
    Meter,
    charge,
    require_hashable,
    require_keys,
    require_standard,
    scan,
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
    type_name,
)
from treetap.expression.text import formatted, plain_text
from treetap.model.captured import NotCaptured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Final


def call_function(
    callee: Any, positional: tuple[Any, ...], named: dict[str, Any], meter: Meter
) -> Any:
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


def collect(value: Any, meter: Meter) -> list[Any]:
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
        items = list(values) if len(values) != 1 else collect(values[0], meter)
        scan(meter, ORDER, *items)
        if not items and default is not MISSING:
            return default
        return real(items)

    return extreme


def _sum(meter: Meter, values: Any, /, start: Any = 0) -> Any:
    total = start
    if type(total) is str:
        raise TypeError("sum() can't sum strings [use ''.join(seq) instead]")
    for item in collect(values, meter):
        total = binary(ast.Add, total, item, meter)
    return total


def _any(meter: Meter, values: Any, /) -> bool:
    return any(truth(item) for item in iterate(values, meter))


def _all(meter: Meter, values: Any, /) -> bool:
    return all(truth(item) for item in iterate(values, meter))


def _sorted(meter: Meter, values: Any, /, *, reverse: Any = False) -> list[Any]:
    items = collect(values, meter)
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
    require_scalar(value, "decimal", "fraction")
    if type(value) is str or type(value) is bytes:
        charge(meter, len(value) >> 2)
    if exact_kind(type(value)) == "decimal" and value.is_finite() and value.adjusted() > 4_000:
        raise too_big("the digits of an integer")
    if base is MISSING:
        return int(value)
    require_scalar(base)
    return int(value, base)


def _float(meter: Meter, value: Any = 0.0, /) -> float:
    require_scalar(value, "decimal", "fraction")
    if type(value) is str or type(value) is bytes:
        charge(meter, len(value) >> 2)
    return float(value)


def _complex(_meter: Meter, real: Any = 0, imag: Any = MISSING, /) -> complex:
    require_scalar(real)
    if imag is MISSING:
        return complex(real)
    require_scalar(imag)
    return complex(real, imag)


def require_scalar(value: Any, *kinds: str) -> None:
    kind = exact_kind(type(value))  # which learns, so it comes first
    if id(type(value)) not in ATOM_IDS and kind not in kinds:
        raise unsafe(f"{type_name(type(value))} is not a plain number or text")


def _scalar_function(real: Callable[..., Any], *kinds: str) -> Callable[..., Any]:
    """A function that is safe for plain numbers and text, and for nothing else."""

    def scalar(_meter: Meter, /, *values: Any) -> Any:
        for value in values:
            require_scalar(value, *kinds)
        if any(type(value) is int and value.bit_length() > 14_000 for value in values):
            raise too_big("an integer of very many bits")
        return real(*values)

    return scalar


def _round(_meter: Meter, number: Any, /, ndigits: Any = None) -> Any:
    require_scalar(number, "decimal", "fraction")
    require_scalar(ndigits)
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
    return collect(values, meter)


def _tuple(meter: Meter, values: Any = (), /) -> tuple[Any, ...]:
    return tuple(collect(values, meter))


def _set(meter: Meter, values: Any = (), /) -> set[Any]:
    items = collect(values, meter)
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
        for item in collect(values, meter):
            pair = collect(item, meter)
            if len(pair) != 2:
                raise ValueError("dict() takes pairs")
            require_hashable(meter, pair[0])
            pairs.append((pair[0], pair[1]))
    return {**dict(pairs), **named}


def _range(_meter: Meter, /, *bounds: Any) -> range:
    for bound in bounds:
        require_scalar(bound)
    return range(*bounds)


def _enumerate(meter: Meter, values: Any, /, start: Any = 0) -> list[tuple[int, Any]]:
    require_scalar(start)
    return list(enumerate(collect(values, meter), start))


def _zip(meter: Meter, /, *sources: Any, strict: Any = False) -> list[tuple[Any, ...]]:
    return list(zip(*(collect(source, meter) for source in sources), strict=truth(strict)))


def _reversed(meter: Meter, values: Any, /) -> list[Any]:
    if kind_of(type(values)) not in {"list", "tuple", "str", "range", "deque", "bytes"}:
        raise unsafe(f"{type_name(type(values))} may have its own __reversed__")
    return collect(values, meter)[::-1]


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
