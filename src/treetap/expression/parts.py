"""What a value is made of: the fields of an object, the first items of a container.

By the standard type's own functions, never by those that the value's class has put over them.
"""

from __future__ import annotations

import itertools
import types

from treetap.expression.reading import find, instance_dict
from treetap.expression.standard import loaded, mro_of, namespace_of
from treetap.interpreter import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


def namedtuple_fields(cls: type, length: int) -> tuple[str, ...] | None:
    names = find(cls, "_fields")
    if type(names) is not tuple or len(names) != length:
        return None
    return names if all(type(name) is str for name in names) else None


def own_fields(value: Any, cls: type) -> Iterable[tuple[str, Any]]:
    """Names and values of what an object holds: its ``__dict__``, then its slots."""
    own = instance_dict(value)
    if own is not None:
        for name, item in list(dict.items(own)):
            if type(name) is str:
                yield name, item
    for klass in mro_of(cls):
        namespace = namespace_of(klass)
        if "__slots__" not in namespace:
            continue
        for name, slot in list(namespace.items()):
            if type(slot) is not types.MemberDescriptorType or type(name) is not str:
                continue
            if name.startswith("__") and name.endswith("__"):
                continue
            try:
                yield name, slot.__get__(value)
            except AttributeError:
                continue  # not assigned yet


def properties(value: Any, cls: type) -> list[tuple[str, Any]]:
    """With ``allow_calls``: the properties too. One that raises is left out."""
    found = []
    for klass in mro_of(cls):
        for name, entry in list(namespace_of(klass).items()):
            if type(entry) is property and type(name) is str and find(cls, name) is entry:
                try:
                    found.append((name, getattr(value, name)))
                except Exception:  # noqa: BLE001 - the user's
                    continue
    return found


def dtype_text(dtype: Any) -> str:
    """``float64`` and the like; numpy's own ``name`` is Python code."""
    kinds = {"f": "float", "i": "int", "u": "uint", "c": "complex"}
    if dtype.kind == "b":
        return "bool"
    if dtype.kind in kinds:
        return f"{kinds[dtype.kind]}{dtype.itemsize * 8}"
    return str(dtype.str)


def _first_of(cls: Any) -> Callable[[Any, int], tuple[list[Any], int]]:
    def first(value: Any, count: int) -> tuple[list[Any], int]:
        return list(itertools.islice(cls.__iter__(value), count)), cls.__len__(value)

    return first


def _first_by_slice(cls: Any) -> Callable[[Any, int], tuple[Any, int]]:
    def first(value: Any, count: int) -> tuple[Any, int]:
        return cls.__getitem__(value, slice(0, count)), cls.__len__(value)

    return first


def _first_of_array(value: Any, count: int) -> tuple[list[Any], int]:
    cls = loaded("array", "array")
    return cls.__getitem__(value, slice(0, count)).tolist(), cls.__len__(value)


def _first_of_view(value: Any, count: int) -> tuple[list[Any], int]:
    return list(itertools.islice(iter(value), count)), len(value)


FIRST_ITEMS: dict[str, Callable[[Any, int], tuple[Any, int]]] = {
    "list": _first_by_slice(list),
    "tuple": _first_by_slice(tuple),
    "set": _first_of(set),
    "frozenset": _first_of(frozenset),
    "deque": _first_of(deque),
    "view": _first_of_view,
    "array": _first_of_array,
}
