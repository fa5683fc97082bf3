"""Every function that a module holds, found by reading dicts, without running any of its code."""

from __future__ import annotations

import sys

from treetap.interpreter import FunctionType, MethodType, ModuleType, partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

#: How deep tables of functions are searched, and how much of each.
_MAX_DEPTH = 6
_MAX_ITEMS = 1000

_dict_of_class = type.__dict__["__dict__"].__get__
_dict_of_function = FunctionType.__dict__["__dict__"].__get__


def functions_of_module(module: ModuleType) -> list[FunctionType]:
    """The functions of a module: its own, its classes', wrapped ones, those in tables and closures.

    Of what the module has imported from others, only functions are listed, not their classes.
    """
    namespace = ModuleType.__getattribute__(module, "__dict__")
    search = _Search(namespace.get("__name__"))
    for value in list(namespace.values()):
        search.look_at(value, 0)
    return list(search.found.values())


def inherited_function(module: ModuleType, qualname: str) -> FunctionType | None:
    """What ``qualname`` leads to in a module, through base classes and other names."""
    names = qualname.split(".")
    value = ModuleType.__getattribute__(module, "__dict__").get(names[0])
    for name in names[1:]:
        if not _is_class(value):
            return None
        value = next(
            (space[name] for base in value.__mro__ if name in (space := _dict_of_class(base))), None
        )
    search = _Search(None)
    search.look_at(value, 0)
    return next(iter(search.found.values()), None)


def _looks_of_functools() -> None:
    """Complete the table, if there can be such values: ``functools`` takes 3 ms to import."""
    functools = sys.modules.get("functools")
    for name in ("partialmethod", "cached_property"):
        kind = getattr(functools, name, None)
        if type(kind) is type:
            _LOOKS[kind] = _of_partial


class _Search:
    """One walk over a module; meets each object once."""

    def __init__(self, module_name: object) -> None:
        self._module_name = module_name
        self._met: set[int] = set()
        self.found: dict[int, FunctionType] = {}
        _looks_of_functools()

    def look_at(self, value: Any, depth: int) -> None:
        if depth > _MAX_DEPTH or id(value) in self._met:
            return
        kind = type(value)
        if kind in _PLAIN:
            return
        self._met.add(id(value))
        if kind is FunctionType:
            self.found[id(value)] = value
        for inner in self._inner(value, kind):
            self.look_at(inner, depth + 1)

    def _inner(self, value: Any, kind: type) -> Iterator[Any]:
        look = _LOOKS.get(kind)
        if look is not None:
            yield from look(value)
        elif _is_class(value):
            space = _dict_of_class(value)
            if self._module_name is None or space.get("__module__") == self._module_name:
                yield from list(space.values())
        elif kind.__module__ != "builtins":
            yield from _wrapped(value, kind)


_PLAIN = frozenset({str, int, float, bool, bytes, type(None), ModuleType})


def _is_class(value: Any) -> bool:
    return type in type(value).__mro__


def _of_function(function: FunctionType) -> Iterator[Any]:
    wrapped = _dict_of_function(function).get("__wrapped__")
    if wrapped is not None:
        yield wrapped
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            # A cell that its function has not filled yet.
            continue


def _of_property(value: property) -> Iterator[Any]:
    yield from (value.fget, value.fset, value.fdel)


def _of_partial(value: partial[Any]) -> Iterator[Any]:
    yield value.func


def _of_holder(value: Any) -> Iterator[Any]:
    yield value.__func__


def _of_table(value: dict[Any, Any]) -> Iterator[Any]:
    yield from list(value.values())[:_MAX_ITEMS]


def _of_row(value: Any) -> Iterator[Any]:
    yield from list(value)[:_MAX_ITEMS]


def _wrapped(value: Any, kind: type) -> Iterator[Any]:
    """What an object of a decorator's class keeps: read from its own dict, if it has a plain one."""
    if any("__getattribute__" in _dict_of_class(base) for base in kind.__mro__[:-1]):
        return
    try:
        space = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return
    if type(space) is dict:
        for name in (
            "__wrapped__",
            "func",
            "fget",
            "_func",
            "fn",
            "function",
            "callback",
            "__func__",
        ):
            if name in space:
                yield space[name]


_LOOKS: dict[type, Any] = {
    FunctionType: _of_function,
    property: _of_property,
    partial: _of_partial,
    staticmethod: _of_holder,
    classmethod: _of_holder,
    MethodType: _of_holder,
    dict: _of_table,
    list: _of_row,
    tuple: _of_row,
    set: _of_row,
    frozenset: _of_row,
}
