"""The text of a value, without asking it: no ``__str__``, ``__repr__`` or ``__format__`` of a user.

``text_of`` gives the one useful text of a date, a path, an enum member, a function and the like;
``plain_text`` and ``formatted`` are ``str()``, ``repr()`` and ``format()`` of strict expressions.
"""

from __future__ import annotations

import types

from treetap.expression.reading import Unsafe, instance_dict, unsafe
from treetap.expression.safety import (
    MAX_TEXT_BITS,
    TEXT,
    Meter,
    charge,
    has_wide_number,
    require_known_zone,
    scan,
    too_big,
)
from treetap.expression.standard import (
    ATOM_IDS,
    LEARNED,
    exact_kind,
    kind_of,
    loaded,
    mro_of,
    namespace_of,
    standard_class,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MAX_SPEC_CHARS = 1_000
_MAX_DECIMAL_BYTES = 4_096
_UUID_PARTS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))


def is_enum_member(cls: type) -> bool:
    """Whether ``cls`` is an enum, also one that is an ``int`` or a ``str`` first."""
    if type(cls) is type:
        return False
    enum = LEARNED.get("enum")
    if enum is None:
        enum = loaded("enum", "Enum")
        if enum is None or exact_kind(enum) != "enum":  # which learns it
            return False
    return any(klass is enum for klass in mro_of(cls))


def text_of(value: Any, kind: str) -> str | None:
    """The one useful text of a value of such a kind; None if it has none.

    Runs no user code. Its length is bounded by what the value holds, not by a limit.
    """
    write = _WRITERS.get(kind)
    text = write(value) if write else None
    # The name of a zone or of a function may be of a subclass, with methods of its own.
    return text if text is None or type(text) is str else str.__str__(text)


def number_of(value: Any, kind: str) -> int | float | None:
    """The number that a value with a text is as well: an ``IntEnum``'s member, a decimal."""
    number: Any = None
    if kind == "enum" and issubclass(type(value), int):
        number = int.__int__(value)
    elif kind == "enum" and issubclass(type(value), float):
        number = float.__float__(value)
    elif kind == "decimal":
        owner = standard_class(value, "decimal")
        if owner.is_finite(value) and owner.__sizeof__(value) <= _MAX_DECIMAL_BYTES:
            number = owner.__float__(value)
    if type(number) is int:
        return number if -(2**63) <= number < 2**63 else None
    # Neither JSON nor SQL has the others.
    return number if type(number) is float and number - number == 0.0 else None


def _enum_text(member: Any) -> str | None:
    own = instance_dict(member)
    name = dict.get(own, "_name_") if own is not None else None
    qualname = type_name(type(member)).rpartition(".")[2]
    return f"{qualname}.{name}" if type(name) is str else None


def _datetime_text(value: Any) -> str:
    owner = LEARNED["datetime"]
    try:
        require_known_zone(value)
    except Unsafe:
        parts = [getattr(owner, name).__get__(value) for name in _DATETIME_PARTS]
        return f"{owner(*parts).isoformat()} (zone not captured)"
    return owner.isoformat(value)  # type: ignore[no-any-return]


_DATETIME_PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def _time_text(value: Any) -> str:
    try:
        require_known_zone(value)
    except Unsafe:
        return "(zone not captured)"
    return LEARNED["time"].isoformat(value)  # type: ignore[no-any-return]


def _date_text(value: Any) -> str:
    return LEARNED["date"].isoformat(value)  # type: ignore[no-any-return]


def _timedelta_text(value: Any) -> str:
    return LEARNED["timedelta"].__str__(value)  # type: ignore[no-any-return]


def _timezone_text(value: Any) -> str:
    return LEARNED["timezone"].__str__(value)  # type: ignore[no-any-return]


def _decimal_text(value: Any) -> str | None:
    owner = standard_class(value, "decimal")
    if owner.__sizeof__(value) > _MAX_DECIMAL_BYTES:
        return None
    return str(owner.__str__(value))


def _fraction_text(value: Any) -> str | None:
    namespace = namespace_of(standard_class(value, "fraction"))
    parts = [namespace[name].__get__(value) for name in ("_numerator", "_denominator")]
    if any(type(part) is not int or part.bit_length() > MAX_TEXT_BITS for part in parts):
        return None
    return str(parts[0]) if parts[1] == 1 else f"{parts[0]}/{parts[1]}"


def _uuid_text(value: Any) -> str | None:
    number = namespace_of(standard_class(value, "uuid"))["int"].__get__(value)
    if type(number) is not int:
        return None
    digits = f"{number:032x}"
    return "-".join(digits[start:end] for start, end in _UUID_PARTS)


def _path_text(value: Any) -> str | None:
    namespace = namespace_of(standard_class(value, "path"))
    for name in ("_str", "_raw_paths", "_parts"):
        try:
            found = namespace[name].__get__(value)
        except (KeyError, AttributeError):
            continue
        if type(found) is str:
            return found
        if (type(found) is list or type(found) is tuple) and all(
            type(part) is str for part in found
        ):
            # A path of our own: str() of the program's would leave its text cached in there.
            pure = _pure_path_class(value)
            return None if pure is None else str(pure(*found))
    return None


def _pure_path_class(value: Any) -> Any:
    for klass in mro_of(type(value)):
        for name in ("PurePosixPath", "PureWindowsPath"):
            if loaded("pathlib", name) is klass:
                return klass
    return None


def _function_text(value: Any) -> str:
    name = types.FunctionType.__dict__["__qualname__"].__get__(value)
    return _qualified(_FUNCTION_MODULE(value), name)


_MODULE_DICT: Any = namespace_of(types.ModuleType)["__dict__"].__get__
_FUNCTION_MODULE = types.FunctionType.__dict__["__module__"].__get__


def _qualified(module: Any, name: Any) -> str:
    name = str.__str__(name) if type(name) is not str else name
    return f"{module}.{name}" if type(module) is str and module != "builtins" else name


def _method_text(value: Any) -> str | None:
    function = value.__func__
    return _function_text(function) if type(function) is types.FunctionType else None


def _builtin_text(value: Any) -> str:
    return _qualified(None, value.__name__)


def _module_text(value: Any) -> str | None:
    name = dict.get(_MODULE_DICT(value), "__name__")
    return name if type(name) is str else None


def _coroutine_text(value: Any) -> str | None:
    name = type(value).__dict__["__qualname__"].__get__(value)
    return name if type(name) is str else None


def _pattern_text(value: Any) -> str | None:
    pattern = value.pattern
    if type(pattern) is bytes:
        return repr(pattern[:1_000])
    return pattern if type(pattern) is str else None


def _range_text(value: range) -> str | None:
    parts = (value.start, value.stop, value.step)
    if any(part.bit_length() > MAX_TEXT_BITS for part in parts):
        return None
    return repr(value)


def _zone_text(value: Any) -> str | None:
    key = namespace_of(standard_class(value, "zone"))["key"].__get__(value)
    return key if type(key) is str else None


_WRITERS: dict[str, Callable[[Any], str | None]] = {
    "enum": _enum_text,
    "datetime": _datetime_text,
    "date": _date_text,
    "time": _time_text,
    "timedelta": _timedelta_text,
    "timezone": _timezone_text,
    "zone": _zone_text,
    "decimal": _decimal_text,
    "fraction": _fraction_text,
    "uuid": _uuid_text,
    "path": _path_text,
    "class": type_name,
    "function": _function_text,
    "method": _method_text,
    "builtin": _builtin_text,
    "descriptor": _builtin_text,
    "module": _module_text,
    "coroutine": _coroutine_text,
    "code": lambda value: value.co_qualname,
    "pattern": _pattern_text,
    "range": _range_text,
    "complex": complex.__repr__,
    "constant": repr,
}


def plain_text(value: Any, conversion: str, meter: Meter) -> str:
    """``str(value)`` (conversion ``"s"``), ``repr(value)`` (``"r"``) or ``ascii(value)``."""
    cls = type(value)
    if id(cls) in ATOM_IDS:
        if type(value) is str or type(value) is bytes:
            charge(meter, len(value) >> 6)
        elif type(value) is int and value.bit_length() > MAX_TEXT_BITS:
            raise too_big("the digits of an integer")
        return _CONVERT[conversion](value)
    kind = exact_kind(cls)
    if conversion == "s" and kind in {"uuid", "path", "fraction"}:
        text = text_of(value, kind)
        if text is not None:
            return text
    if conversion == "s" and kind_of(cls) == "path":
        text = text_of(value, "path") if _is_inherited(cls, "path", "__str__") else None
        if text is not None:
            return text
    _require_text(value, meter)
    return _CONVERT[conversion](value)


def _is_inherited(cls: type, kind: str, method: str) -> bool:
    for klass in mro_of(cls):
        if method in namespace_of(klass):
            return exact_kind(klass) == kind
    return False


def _require_text(value: Any, meter: Meter) -> None:
    before = meter[0]
    scan(meter, TEXT, value)
    # The text of what has been looked at is in proportion to it.
    charge(meter, (before - meter[0]) >> 2)


_CONVERT: dict[str, Callable[[Any], str]] = {"s": str, "r": repr, "a": ascii}


def formatted(value: Any, conversion: str, spec: str, meter: Meter) -> str:
    """One ``{value!conversion:spec}`` of an f-string."""
    if type(spec) is not str or len(spec) > _MAX_SPEC_CHARS or has_wide_number(spec):
        raise too_big("a format with a width")
    if conversion:
        value = plain_text(value, conversion, meter)
    elif not spec:
        value = plain_text(value, "s", meter)
    kind = exact_kind(type(value))  # which learns, so it comes first
    if id(type(value)) in ATOM_IDS or kind == "decimal":
        if type(value) is int and value.bit_length() > MAX_TEXT_BITS:
            raise too_big("the digits of an integer")
        return format(value, spec)
    if kind in {"datetime", "time"}:
        require_known_zone(value)
        return format(value, spec)
    raise unsafe(f"{type_name(type(value))} has a __format__")
