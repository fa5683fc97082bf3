"""Immutable records: what ``typing.NamedTuple`` makes, without what it loads.

``typing`` and ``collections`` take 8 ms to import, and each class that they make 0.3 ms more: much,
for a process that starts in an awake tree and has its probes before its first line. To a type checker
a ``Record`` is a ``NamedTuple``::

    class Limits(Record):
        max_depth: int = 3

Here it is a plain subclass of ``tuple``, with the names that a named tuple has (``_fields``,
``_replace``…), so that whatever reads named tuples reads it.
"""

from __future__ import annotations

from treetap.interpreter import tuplegetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from typing import NamedTuple as Record

__all__ = ["Record"]

_new_tuple = tuple.__new__


def _new(cls: Any, /, *values: Any, **named: Any) -> Any:
    fields = cls._fields
    if len(values) != len(fields) or named:
        values = _completed(cls, values, named)
    return _new_tuple(cls, values)


def _completed(cls: Any, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """All the values of a record, of which some are given by name, and some not at all."""
    fields, defaults = cls._fields, cls._field_defaults
    if len(values) > len(fields):
        raise TypeError(f"{cls.__name__} takes {len(fields)} values, not {len(values)}")
    completed = list(values)
    for name in fields[len(values) :]:
        if name in named:
            completed.append(named.pop(name))
        elif name in defaults:
            completed.append(defaults[name])
        else:
            raise TypeError(f"{cls.__name__} lacks a value for {name!r}")
    for name in named:
        problem = "got two values for" if name in fields else "has no field"
        raise TypeError(f"{cls.__name__} {problem} {name!r}")
    return tuple(completed)


def _make(cls: Any, values: Any) -> Any:
    """A record of as many values as it has fields."""
    return cls(*values)


def _replace(self: Any, /, **named: Any) -> Any:
    """The same record with other values for some fields."""
    values = [named.pop(name, value) for name, value in zip(self._fields, self, strict=True)]
    if named:
        # As a named tuple does.
        raise ValueError(f"Got unexpected field names: {list(named)!r}")
    return _new_tuple(type(self), values)


def _asdict(self: Any) -> dict[str, Any]:
    """Names and values, in order."""
    return dict(zip(self._fields, self, strict=True))


def _repr(self: Any) -> str:
    shown = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
    return f"{type(self).__name__}({shown})"


def _getnewargs(self: Any) -> tuple[Any, ...]:
    """For copies and pickles."""
    return tuple(self)


_SHARED = {
    "__new__": _new,
    "__repr__": _repr,
    "__getnewargs__": _getnewargs,
    "_make": classmethod(_make),
    "_replace": _replace,
    "_asdict": _asdict,
}


class _MakesRecords(type):
    """Turns a class statement into a tuple's subclass; that one is of the metaclass ``type``."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        if not bases:
            return super().__new__(cls, name, bases, namespace)
        # Texts, since every file of ours has `from __future__ import annotations`.
        fields = tuple(namespace.get("__annotations__", ()))
        defaults = {field: namespace.pop(field) for field in fields if field in namespace}
        if tuple(defaults) != fields[len(fields) - len(defaults) :]:
            raise TypeError(f"{name}: a field without a default follows one with a default")
        getters = {
            field: tuplegetter(index, f"Field {index}") for index, field in enumerate(fields)
        }
        known = {"_fields": fields, "_field_defaults": defaults, "__match_args__": fields}
        return type(name, (tuple,), {"__slots__": (), **_SHARED, **namespace, **getters, **known})


if not TYPE_CHECKING:
    # Seen by the interpreter alone: a type checker knows the one above.
    class Record(metaclass=_MakesRecords):
        """The base in a record's class statement."""
