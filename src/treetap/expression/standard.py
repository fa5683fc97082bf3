"""The types whose own methods run nobody's code: builtins, and some of the standard library.

Types are compared by identity only, and tables are keyed by ``id``: hashing or comparing a class
runs ``__hash__`` and ``__eq__`` of its metaclass, which may be the user's. ``isinstance`` is never
used on a user's object: a ``__class__`` property would run, and lie.

Modules that a program may not have loaded (decimal, datetime, numpy, …) are not loaded by us: a value
of such a type exists only where its module does, so the type is found in ``sys.modules`` when the
first value of it is met. The tables of ids then learn the common ones.
"""

from __future__ import annotations

import sys
import types

from treetap.interpreter import OrderedDict, defaultdict, deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

#: The MRO and the namespace of a class, whatever its metaclass overrides.
mro_of: Final = type.__dict__["__mro__"].__get__
namespace_of: Final = type.__dict__["__dict__"].__get__
_module_of: Final = type.__dict__["__module__"].__get__
_qualname_of: Final = type.__dict__["__qualname__"].__get__
_basicsize_of: Final = type.__dict__["__basicsize__"].__get__

#: Taken as they are: immutable, and without parts.
SCALARS: Final[frozenset[type]] = frozenset({int, float, str, bool, bytes, type(None)})

#: Not those of OrderedDict: they look each key up again, which hashes it.
_VIEWS = [type({}.keys()), type({}.values()), type({}.items())]

#: What a value of a type, or of a subclass of it, is for us. (kind → types)
_CLASSES: dict[str, list[Any]] = {
    "int": [int],
    "bool": [bool],
    "float": [float],
    "complex": [complex],
    "str": [str],
    "bytes": [bytes],
    "bytearray": [bytearray],
    "memoryview": [memoryview],
    "none": [type(None)],
    "constant": [type(...), type(NotImplemented)],
    "list": [list],
    "tuple": [tuple],
    "dict": [dict, OrderedDict, defaultdict],
    "set": [set],
    "frozenset": [frozenset],
    "deque": [deque],
    "view": _VIEWS,
    "range": [range],
    "slice": [slice],
    "exception": [BaseException],
    "class": [type],
    "module": [types.ModuleType],
    "function": [types.FunctionType],
    "method": [types.MethodType],
    "builtin": [types.BuiltinFunctionType, types.MethodWrapperType],
    "descriptor": [types.MethodDescriptorType, types.WrapperDescriptorType],
    "coroutine": [types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType],
    "code": [types.CodeType],
    "frame": [types.FrameType],
    "traceback": [types.TracebackType],
    "namespace": [types.SimpleNamespace],
    "object": [object],
}
_KINDS: Final[dict[int, str]] = {
    id(cls): kind for kind, classes in _CLASSES.items() for cls in classes
}
#: The same for types of modules that may not be loaded: where the type is → kind.
_KINDS_BY_NAME: Final = {
    ("decimal", "Decimal"): "decimal",
    ("fractions", "Fraction"): "fraction",
    ("uuid", "UUID"): "uuid",
    ("zoneinfo", "ZoneInfo"): "zone",
    ("array", "array"): "array",
    ("pathlib", "PurePath"): "path",
    ("pathlib._local", "PurePath"): "path",
    ("functools", "partial"): "partial",
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "generic"): "numpy-scalar",
    ("pandas.core.frame", "DataFrame"): "frame-table",
    ("pandas.core.series", "Series"): "series",
    ("pandas", "DataFrame"): "frame-table",
    ("pandas", "Series"): "series",
    ("collections", "Counter"): "dict",
    ("datetime", "datetime"): "datetime",
    ("datetime", "date"): "date",
    ("datetime", "time"): "time",
    ("datetime", "timedelta"): "timedelta",
    ("datetime", "timezone"): "timezone",
    ("enum", "Enum"): "enum",
    ("re", "Pattern"): "pattern",
}

_ATOM_KINDS = frozenset(
    {"int", "bool", "float", "complex", "str", "bytes", "none", "constant"}
    | {"timedelta", "date", "timezone", "range"}
)
#: Exact types without parts, whose operators run no code but their own.
ATOM_IDS: Final = {ident for ident, kind in _KINDS.items() if kind in _ATOM_KINDS}
NUMBER_IDS: Final = frozenset(map(id, (int, float, bool, complex)))
#: Exact containers that iterate over themselves.
SEQUENCE_IDS: Final = set(map(id, (list, tuple, set, frozenset, deque)))
DICT_IDS: Final = set(map(id, (dict, OrderedDict, defaultdict)))
SIZED_IDS: Final = SEQUENCE_IDS | DICT_IDS | set(map(id, (str, bytes, bytearray, range, *_VIEWS)))
#: What Python's own code asks nothing of: whether it is true, what its number is.
PLAIN_IDS: Final = ATOM_IDS | SEQUENCE_IDS | DICT_IDS
#: The types of modules that a program may not have loaded, once a value of the kind was met. What their
#: module holds may be another later (a program that stops its clock for a test exchanges
#: ``datetime.datetime``); these stay, and alive, as the ids of dead types are given to others.
LEARNED: Final[dict[str, Any]] = {}
_ALIVE: Final[list[type]] = []

_BUILTIN_EXCEPTION_IDS = frozenset(
    id(value)
    for value in vars(__import__("builtins")).values()
    if type(value) is type and BaseException in value.__mro__
)


def exact_kind(cls: type) -> str | None:
    """The kind of exactly this type; None if it isn't a standard one."""
    kind = _KINDS.get(id(cls))
    if kind is not None:
        return kind
    if id(cls) in _BUILTIN_EXCEPTION_IDS:
        return "exception"
    module = _module_of(cls)
    name = _qualname_of(cls)
    # Either may be anything that somebody assigned; hashing it would run its code.
    if type(module) is not str or type(name) is not str:
        return None
    kind = _KINDS_BY_NAME.get((module, name))
    if kind is None:
        return None
    # `_datetime` has the real ones, whatever a program has put into `datetime` for a test.
    if loaded(module, name) is not cls and loaded(f"_{module}", name) is not cls:
        return None
    _learn(cls, kind)
    return kind


def _learn(cls: type, kind: str) -> None:
    """Know this type by its id from now on. An answer from before is the same, only slower."""
    _ALIVE.append(cls)
    LEARNED.setdefault(kind, cls)
    if kind in _ATOM_KINDS:
        ATOM_IDS.add(id(cls))
        PLAIN_IDS.add(id(cls))
    elif kind == "dict":
        for idents in (DICT_IDS, SIZED_IDS, PLAIN_IDS):
            idents.add(id(cls))
    _KINDS[id(cls)] = kind


def kind_of(cls: type) -> str:
    """The kind of the nearest standard type that ``cls`` is or inherits from."""
    for klass in mro_of(cls):
        kind = exact_kind(klass)
        if kind is not None:
            # The views of an ordered dict inherit from the plain ones, and act differently.
            return "object" if kind == "view" and klass is not cls else kind
    return "object"


def standard_class(value: Any, kind: str) -> Any:
    """The class of this kind that ``value`` is an instance of."""
    cls = type(value)
    if _KINDS.get(id(cls)) == kind:
        return cls
    return next(klass for klass in mro_of(cls) if exact_kind(klass) == kind)


def loaded(module: str, name: str) -> Any:
    """What ``name`` of an already imported module is; None without it. Imports nothing."""
    found = sys.modules.get(module)
    if type(found) is not types.ModuleType:
        return None
    return found.__dict__.get(name)


def type_name(cls: type) -> str:
    """``module.Qualname`` of a class, without the module for builtins. At most 200 characters."""
    module = _module_of(cls)
    name = _qualname_of(cls)
    if type(name) is not str:
        name = str.__str__(name)
    if type(module) is str and module != "builtins":
        name = f"{module}.{name}"
    return printable(name[:200])


def printable(text: str) -> str:
    """``text`` as it is, or with lone surrogates escaped, so that it can be encoded."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _str_keyed_sizes() -> frozenset[int]:
    """Sizes of the key tables that CPython gives to dicts whose keys are all exact ``str``.

    Such a table has entries without a stored hash, so it is smaller than any other table of as
    many slots; its size therefore tells, in constant time, that no key has an ``__eq__`` of its
    own. (``dictobject.c``, ``DK_UNICODE``; 3.11 and newer.) Empty where the formula doesn't
    match this interpreter, and then keys are looked at one by one.
    """

    def size(log2: int, entry_bytes: int) -> int:
        index_bytes = 1 << (log2 + (log2 >= 8) + (log2 >= 16))
        return index_bytes + ((2 << log2) // 3) * entry_bytes

    def measured(sample: dict[Any, int]) -> int:
        return int(dict.__sizeof__(sample) - _basicsize_of(dict))

    logs = range(3, 32)
    header = measured({"a": 1}) - size(3, 16)
    by_str = frozenset(header + size(log2, 16) for log2 in logs)
    by_any = frozenset(header + size(log2, 24) for log2 in logs)
    for count in (1, 5, 6, 10, 11, 21, 22, 85, 86, 170, 171, 400):
        texts = dict.fromkeys(map(str, range(count)), 0)
        numbers = dict.fromkeys(range(count), 0)
        if measured(texts) not in by_str or measured(numbers) not in by_any:
            return frozenset()
    return frozenset() if by_str & by_any else by_str


#: What that says, once it was asked: it takes as long as two of our modules.
_known_sizes: list[frozenset[int]] = []


def has_only_str_keys(mapping: dict[Any, Any]) -> bool:
    """True if every key is exactly a ``str``. False says nothing: some such dicts look general."""
    size = dict.__sizeof__(mapping) - _basicsize_of(type(mapping))
    if not _known_sizes:
        _known_sizes.append(_str_keyed_sizes())
    return size in _known_sizes[0]
