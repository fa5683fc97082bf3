"""Values of a program made into plain data, in the forms of ``treetap.model.captured``.

Bounded, now, and without the program's own code: ``str()`` is asked of classes of the standard library
alone. Runs in the program (see ``agent``): any Python that has debugpy, no import of treetap's.
"""

from __future__ import annotations

import collections
import sys
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_KIND = "$"
#: Of one value, over all depths, so that a wide and deep one ends.
_MAX_PARTS = 2_000
_INT_LIMIT = 2**63
#: ``str()`` takes no more than 4300 digits.
_MAX_INT_BITS = 14_000
_MAX_INT_DIGITS = 255
#: Modules of classes whose ``str()`` is theirs, and useful.
_TEXTS = {"datetime", "decimal", "fractions", "ipaddress", "pathlib", "uuid", "zoneinfo"}
_TEXTS |= {"pathlib._local", "_pydatetime", "_pydecimal"}
_REPRS = {"numpy", "re"}
_LISTS: tuple[tuple[Any, str], ...] = (
    (list, "list"),
    (tuple, "tuple"),
    (set, "set"),
    (frozenset, "frozenset"),
    (collections.deque, "list"),
)
_CALLABLES = (types.FunctionType, types.MethodType, types.BuiltinFunctionType)
_module_of: Any = type.__dict__["__module__"]
_qualname_of: Any = type.__dict__["__qualname__"]
_mro_of: Any = type.__dict__["__mro__"]
_names_of: Any = type.__getattribute__(types.ModuleType, "__dict__")["__dict__"]


class Plain:
    """Makes plain data of the values of one hit.

    Args:
        limits: The fields of ``treetap.model.probe.Limits``.
        hides: Whether a value of this name is a secret.
    """

    def __init__(self, limits: dict[str, int], hides: Callable[[str], bool]) -> None:
        self._max_depth = limits["max_depth"]
        self._max_items = limits["max_items"]
        self._max_chars = limits["max_chars"]
        self._max_fields = limits["max_fields"]
        self._hides = hides
        #: About how long all of it will be as JSON.
        self.chars = 0
        self._left = _MAX_PARTS
        self._open: set[int] = set()

    def of(self, value: Any) -> Any:
        """One value of the hit."""
        self._left = _MAX_PARTS
        try:
            return self._take(value, 1)
        except Exception:  # noqa: BLE001 - a value of a kind that nobody thought of
            return _left_out("error", type(value))

    def named(self, name: Any, value: Any, depth: int = 1) -> Any:
        """A value that has this name; left out where that is a secret's."""
        if type(name) is str and self._hides(name):
            return _left_out("redacted", type(value))
        return self._take(value, depth)

    def _take(self, value: Any, depth: int) -> Any:
        kind = type(value)
        self.chars += 20
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if -_INT_LIMIT <= value < _INT_LIMIT else self._long(value)
        if kind is float:
            return value if value - value == 0.0 else {_KIND: "float", "v": repr(value)}
        if kind is str:
            return self._text(value)
        if kind is bytes or kind is bytearray:
            return self._bytes(value)
        self._left -= 1
        if self._left < 0:
            return _left_out("size", kind)
        if id(value) in self._open:
            return _left_out("cycle", kind)
        self._open.add(id(value))
        try:
            return self._form(value, kind, depth)
        finally:
            self._open.discard(id(value))

    def _form(self, value: Any, kind: Any, depth: int) -> Any:
        text = _useful_text(value, kind)
        if text is not None:
            shown = _clean(text[: max(self._max_chars, 40)])
            self.chars += len(shown)
            return {_KIND: "text", "type": _name(kind), "v": shown}
        # By identity: the hash of a class may be its metaclass's, which is the program's.
        parents = [id(parent) for parent in _mro_of.__get__(kind)]
        for parent, plain_of in _PLAIN_OF:
            if id(parent) in parents:
                return self._take(plain_of(value), depth)
        if depth > self._max_depth:
            return _left_out("depth", kind)
        if id(dict) in parents:
            return self._dict(value, kind, depth)
        for parent, name in _LISTS:
            if id(parent) in parents:
                return self._list(value, kind, parent, name, depth)
        return self._object(value, kind, depth)

    def _text(self, value: str) -> Any:
        shown = value[: self._max_chars]
        self.chars += len(shown)
        clean = _clean(shown)
        if len(value) <= self._max_chars and clean is shown:
            return value
        return {_KIND: "str", "v": clean, "len": len(value)}

    def _bytes(self, value: Any) -> Any:
        shown = repr(bytes(value[: self._max_chars]))[2:-1]
        self.chars += len(shown)
        return {_KIND: "bytes", "v": shown, "len": len(value)}

    def _long(self, value: int) -> Any:
        if value.bit_length() > _MAX_INT_BITS:
            return _left_out("size", int)
        text = str(value)
        self.chars += len(text)
        form: dict[str, Any] = {_KIND: "int", "v": text[:_MAX_INT_DIGITS]}
        return {**form, "len": len(text)} if len(text) > _MAX_INT_DIGITS else form

    def _list(self, value: Any, kind: Any, parent: Any, name: str, depth: int) -> Any:
        items: list[Any] = []
        form = {_KIND: name, "items": items, "len": parent.__len__(value)}
        if kind is not parent or parent is collections.deque:
            form["type"] = _name(kind)
        for item in parent.__iter__(value):
            if len(items) >= self._max_items:
                break
            items.append(self._take(item, depth + 1))
        return form

    def _dict(self, value: Any, kind: Any, depth: int) -> Any:
        pairs: list[Any] = []
        form = {_KIND: "dict", "items": pairs, "len": dict.__len__(value)}
        if kind is not dict:
            form["type"] = _name(kind)
        for key, item in dict.items(value):
            if len(pairs) >= self._max_items:
                break
            pairs.append([self._take(key, depth + 1), self.named(key, item, depth + 1)])
        return form

    def _object(self, value: Any, kind: Any, depth: int) -> Any:
        fields = _fields(value, kind)
        shown = [
            [_clean(str.__str__(name)), self.named(name, item, depth + 1)]
            for name, item in fields[: self._max_fields]
            if isinstance(name, str)
        ]
        return {_KIND: "object", "type": _name(kind), "fields": shown, "len": len(fields)}

    def locals(self, names: Any, *, is_module: bool) -> list[Any]:
        """``[[name, value], …]``; of a module only what isn't its functions, classes and imports."""
        found: list[Any] = []
        for name, value in list(names.items()):
            kind = type(value)
            if is_module and (name[:2] == "__" or _is_of(kind, *_CALLABLES, _MODULE, type)):
                continue
            if len(found) >= self._max_items:
                break
            found.append([name, self.named(name, value)])
        return found


_MODULE = types.ModuleType
#: A subclass of one of these is shown as the plain value that it is.
_PLAIN_OF: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
)


def _useful_text(value: Any, kind: Any) -> str | None:
    if _is_of(kind, type):
        return _name(value)
    if _is_of(kind, *_CALLABLES):
        module, qualname = getattr(value, "__module__", None), getattr(value, "__qualname__", "?")
        return f"{module}.{qualname}" if module not in (None, "builtins") else str(qualname)
    if _is_of(kind, _MODULE):
        return str(dict.get(_names_of.__get__(value), "__name__"))
    if kind is range or kind is complex:
        return repr(value)
    module = _module_of.__get__(kind)
    if type(module) is str and (module in _TEXTS or module in _REPRS):
        return repr(value) if module in _REPRS else _text_of(value)
    enum = sys.modules.get("enum")
    if enum is not None and _is_of(type(kind), enum.EnumMeta):
        return f"{_qualname_of.__get__(kind)}.{object.__getattribute__(value, '_name_')}"
    return None


def _is_of(kind: Any, *wanted: Any) -> bool:
    """Whether it is one of these classes, or below one; ``issubclass`` may ask a metaclass."""
    idents = [id(parent) for parent in _mro_of.__get__(kind)]
    return any(id(each) in idents for each in wanted)


def _text_of(value: Any) -> str:
    zone = getattr(value, "tzinfo", None)
    if zone is None or _module_of.__get__(type(zone)) in ("datetime", "zoneinfo"):
        return str(value)
    # A zone of the program's own: what it would say, it would have to be asked.
    return f"{value.replace(tzinfo=None)} (zone not captured)"


def _fields(value: Any, kind: Any) -> list[tuple[Any, Any]]:
    """What an object holds: its dict, and its slots."""
    fields: list[tuple[Any, Any]] = []
    if _is_of(kind, BaseException):
        fields.append(("args", BaseException.args.__get__(value)))  # type: ignore[attr-defined]
    for parent in _mro_of.__get__(kind):
        names = type.__dict__["__dict__"].__get__(parent)
        for name, member in list(names.items()) if "__slots__" in names else ():
            if type(member) is types.MemberDescriptorType:
                try:
                    fields.append((name, member.__get__(value)))
                except AttributeError:
                    continue  # no value yet
    for parent in _mro_of.__get__(kind):
        getter = dict(type.__dict__["__dict__"].__get__(parent)).get("__dict__")
        if getter is not None:
            # Else it is a property of that name.
            own = getter.__get__(value) if type(getter) is types.GetSetDescriptorType else None
            return [*dict.items(own), *fields] if isinstance(own, dict) else fields
    return fields


def _left_out(reason: str, kind: Any) -> dict[str, Any]:
    return {_KIND: "not-captured", "reason": reason, "type": _name(kind)}


def _name(kind: Any) -> str:
    module, name = _module_of.__get__(kind), str.__str__(_qualname_of.__get__(kind))
    if type(module) is str and module != "builtins":
        name = f"{module}.{name}"
    return _clean(name[:200])


def _clean(text: str) -> str:
    """``text``; halves of surrogate pairs escaped, which JSON can't have."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text
