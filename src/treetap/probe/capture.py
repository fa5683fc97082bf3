"""Turning a live value into plain data: now, bounded, and without running its code.

A reference kept to be rendered later would be a lie, for the object may have changed by then; so
everything that isn't a scalar becomes a form (``model.captured``) at once. What bounds it: the
limits of the probe, and a budget of nodes for the whole value. What is left out says so.

``_Capturer`` has a method a kind of value; the tables at the end say which is for which.
"""

from __future__ import annotations

import itertools
import sys

from treetap.expression.parts import (
    FIRST_ITEMS,
    dtype_text,
    namedtuple_fields,
    own_fields,
    properties,
)
from treetap.expression.standard import kind_of, loaded, namespace_of, printable, type_name
from treetap.expression.syntax import parse_expression, secret_name
from treetap.expression.text import is_enum_member, number_of, text_of
from treetap.model.captured import KIND, NotCaptured, not_captured

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Iterable
    from typing import Any, Final

    from treetap.expression.redaction import Redaction
    from treetap.model.captured import Captured
    from treetap.model.probe import Limits

#: Nodes of one captured value, over all depths; 100 characters of text count as one more.
MAX_NODES: Final = 2_000
#: Frames of a snapshot's stack.
MAX_FRAMES: Final = 20
_CHARS_PER_NODE = 100
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
#: An integer of more bits isn't written out: the time for it grows with the square.
_MAX_INT_BITS = 20_000
_MAX_INT_DIGITS = 255


def capture(
    value: Any, limits: Limits, redaction: Redaction, *, allow_calls: bool = False
) -> Captured:
    """``value`` as plain data. Never raises.

    Args:
        value: Anything.
        limits: Of the probe.
        redaction: Names whose values are left out, wherever in ``value`` they are.
        allow_calls: Also read the properties of objects, which runs their code.
    """
    kind = type(value)
    if kind is int:
        if _INT_MIN <= value <= _INT_MAX:
            return value
    elif kind is bool or value is None:
        return value
    elif kind is float:
        if value - value == 0.0:
            return value
    elif kind is str and len(value) <= limits.max_chars and value.isascii():
        return value
    try:
        return _Capturer(limits, redaction, allow_calls=allow_calls).take(value, 1)
    except Exception:
        return not_captured(NotCaptured.ERROR, _name_of(kind))


def capture_named(
    expression: str,
    value: Any,
    limits: Limits,
    redaction: Redaction,
    *,
    allow_calls: bool = False,
) -> Captured:
    """As ``capture``, for the value of ``expression``: redacted if that names a secret."""
    if is_secret(expression, redaction):
        return not_captured(NotCaptured.REDACTED)
    return capture(value, limits, redaction, allow_calls=allow_calls)


def is_secret(expression: str, redaction: Redaction) -> bool:
    """Whether the value of ``expression`` is to be redacted, by the names in it."""
    known = redaction.expressions.get(expression)
    if known is None:
        known = _names_secret(expression, redaction)
        redaction.remember(expression, is_hidden=known)
    return known


def _names_secret(expression: str, redaction: Redaction) -> bool:
    try:
        return bool(secret_name(parse_expression(expression), redaction))
    except Exception:
        return redaction.hides(expression)


def snapshot(
    frame: types.FrameType, limits: Limits, redaction: Redaction, *, allow_calls: bool = False
) -> Captured:
    """Locals and stack of a frame, as a ``snapshot`` form. Never raises; writes nothing to it."""
    try:
        capturer = _Capturer(limits, redaction, allow_calls=allow_calls)
        return {
            KIND: "snapshot",
            "locals": capturer.locals_of(frame),
            "stack": _stack_of(frame),
        }
    except Exception:
        return not_captured(NotCaptured.ERROR, "frame")


def _stack_of(frame: types.FrameType) -> list[list[Any]]:
    stack: list[list[Any]] = []
    current: types.FrameType | None = frame
    while current is not None and len(stack) < MAX_FRAMES:
        code = current.f_code
        name, file = printable(code.co_qualname), printable(code.co_filename)
        # A hit at the entry of a function is before its first line.
        line = current.f_lineno or code.co_firstlineno
        stack.append([name[:200], file[:500], line])
        current = current.f_back
    return stack


def _name_of(cls: type) -> str:
    try:
        return type_name(cls)
    except Exception:
        return ""


class _Capturer:
    """Captures one value with its parts, within one budget."""

    __slots__ = (
        "_allow_calls",
        "_hides",
        "_known",
        "_left",
        "_max_chars",
        "_max_depth",
        "_max_fields",
        "_max_items",
        "_path",
        "_short",
    )

    def __init__(self, limits: Limits, redaction: Redaction, *, allow_calls: bool) -> None:
        self._max_depth, self._max_items, self._max_chars, self._max_fields = limits
        self._hides = redaction.hides
        self._known = redaction.known
        self._allow_calls = allow_calls
        self._left = MAX_NODES
        #: Texts up to this length cost nothing extra.
        self._short = min(_CHARS_PER_NODE, self._max_chars)
        #: ``id`` of each container that we are inside of.
        self._path: set[int] = set()

    def take(self, value: Any, depth: int) -> Captured:
        """Any value; ``depth`` is that of the container it would be, 1 for the outermost."""
        cls = type(value)
        if value is None or cls is bool:
            return value
        if cls is str:
            if len(value) <= self._short and value.isascii():
                return value
            return self._text(value)
        if cls is int:
            return value if _INT_MIN <= value <= _INT_MAX else _big_int(value)
        if cls is float:
            return value if value - value == 0.0 else {KIND: "float", "v": repr(value)}
        self._left -= 1
        if self._left < 0:
            return not_captured(NotCaptured.SIZE, _name_of(cls))
        try:
            return self._other(value, cls, depth)
        except Exception:
            return not_captured(NotCaptured.ERROR, _name_of(cls))

    def _other(self, value: Any, cls: type, depth: int) -> Captured:
        if cls is dict:
            kind = "dict"
        elif cls is list or cls is tuple or cls is set or cls is frozenset:
            kind = cls.__name__
        elif is_enum_member(cls):
            kind = "enum"
        else:
            kind = kind_of(cls)
        if kind in _NESTING:
            if depth > self._max_depth:
                return not_captured(NotCaptured.DEPTH, _name_of(cls))
            ident = id(value)
            if ident in self._path:
                return not_captured(NotCaptured.CYCLE, _name_of(cls))
            self._path.add(ident)
            try:
                return _NESTING[kind](self, value, cls, kind, depth)
            finally:
                self._path.discard(ident)
        plain = _PLAIN.get(kind)
        if plain is not None:
            return plain(self, value)
        return self._one_text(value, cls, kind, depth)

    def _one_text(self, value: Any, cls: type, kind: str, depth: int) -> Captured:
        text = text_of(value, kind)
        if text is None:
            if kind == "enum" and depth <= self._max_depth:
                return self._object(value, cls, kind, depth)
            return not_captured(NotCaptured.SIZE, _name_of(cls))
        form = {KIND: "text", "type": _name_of(cls), "v": printable(text[: self._max_chars])}
        return form if (number := number_of(value, kind)) is None else form | {"n": number}

    def _text(self, value: str) -> Captured:
        shown = value if len(value) <= self._max_chars else value[: self._max_chars]
        self._left -= len(shown) // _CHARS_PER_NODE
        if self._left < 0:
            return not_captured(NotCaptured.SIZE, "str")
        text = printable(shown)
        if len(value) == len(text) and text == value:
            return text
        return {KIND: "str", "v": text, "len": len(value)}

    def _bytes(self, value: Any) -> Captured:
        cls = type(value)
        if issubclass(cls, (bytes, bytearray)):
            base = bytes if issubclass(cls, bytes) else bytearray
            shown = bytes(base.__getitem__(value, slice(0, self._max_chars)))
            length = base.__len__(value)
        else:
            view = value if value.ndim == 1 and value.itemsize == 1 else None
            length = value.nbytes
            shown = b"" if view is None else view[: self._max_chars].tobytes()
        self._left -= len(shown) // _CHARS_PER_NODE
        return {KIND: "bytes", "v": repr(shown)[2:-1], "len": length}

    def _items(self, items: Iterable[Any], depth: int) -> list[Captured]:
        taken: list[Captured] = []
        append, take, short = taken.append, self.take, self._short
        for item in items:
            if self._left <= 0:
                break
            self._left -= 1
            # The commonest kinds here and now: a call for each would double the cost.
            kind = type(item)
            if (
                (kind is int and _INT_MIN <= item <= _INT_MAX)
                or (kind is str and len(item) <= short and item.isascii())
                or (kind is float and item - item == 0.0)
            ):
                append(item)
            else:
                append(take(item, depth))
        return taken

    def _sequence(self, value: Any, cls: type, kind: str, depth: int) -> Captured:
        first, length = FIRST_ITEMS[kind](value, self._max_items)
        if kind == "tuple" and cls is not tuple:
            names = namedtuple_fields(cls, length)
            if names is not None:
                return self._fields(zip(names, first, strict=False), length, cls, depth)
        form = {
            KIND: "list" if kind in _LISTS else kind,
            "items": self._items(first, depth + 1),
            "len": length,
        }
        if cls is not _TYPES[kind]:
            form["type"] = _name_of(cls)
        return form

    def _dict(self, value: Any, cls: type, _kind: str, depth: int) -> Captured:
        pairs: list[list[Any]] = []
        append, take, hides, short = pairs.append, self.take, self._hides, self._short
        known = self._known
        depth += 1
        length = dict.__len__(value)
        # In one go, in C: another thread can't change the dict in between.
        for key, item in list(itertools.islice(dict.items(value), self._max_items)):
            if self._left <= 0:
                break
            self._left -= 2
            is_text = type(key) is str
            shown = key if is_text and len(key) <= short and key.isascii() else take(key, depth)
            is_hidden = known.get(key) if is_text else self._hides_key(key, type(key))
            if is_hidden or (is_hidden is None and hides(key)):
                append([shown, not_captured(NotCaptured.REDACTED)])
                continue
            kind = type(item)
            if (
                (kind is int and _INT_MIN <= item <= _INT_MAX)
                or (kind is str and len(item) <= short and item.isascii())
                or (kind is float and item - item == 0.0)
            ):
                append([shown, item])
            else:
                append([shown, take(item, depth)])
        form = {KIND: "dict", "items": pairs, "len": length}
        if cls is not dict:
            form["type"] = _name_of(cls)
        return form

    def _hides_key(self, key: Any, cls: type) -> bool:
        """Whether a key that isn't exactly a ``str`` (an enum, bytes) is the name of a secret."""
        if issubclass(cls, str):
            return self._hides(str.__str__(key))
        if issubclass(cls, bytes):
            return self._hides(bytes.__getitem__(key, slice(0, 200)).decode("latin-1"))
        return False

    def _object(self, value: Any, cls: type, kind: str, depth: int) -> Captured:
        own = own_fields(value, cls)
        if kind == "exception":
            args = BaseException.args.__get__(value)  # type: ignore[attr-defined]
            own = itertools.chain([("args", args)], own)
        elif kind == "partial":
            getters = namespace_of(loaded("functools", "partial"))
            names = ("func", "args", "keywords")
            own = [(name, getters[name].__get__(value)) for name in names]
        fields = list(own)
        if self._allow_calls:
            fields += properties(value, cls)
        return self._fields(fields, len(fields), cls, depth)

    def _fields(
        self, fields: Iterable[tuple[str, Any]], length: int, cls: type, depth: int
    ) -> Captured:
        taken = []
        for name, item in itertools.islice(fields, self._max_fields):
            if self._left <= 0:
                break
            self._left -= 1
            if self._hides(name):
                form = not_captured(NotCaptured.REDACTED)
            else:
                form = self.take(item, depth + 1)
            taken.append([printable(name[:200]), form])
        return {KIND: "object", "type": _name_of(cls), "fields": taken, "len": length}

    def _array(self, value: Any, cls: type, _kind: str, depth: int) -> Captured:
        dtype = value.dtype
        shape = value.shape
        first = [] if dtype.hasobject else value.flat[: self._max_items].tolist()
        fields = [("shape", shape), ("dtype", dtype_text(dtype)), ("items", first)]
        return self._fields(fields, 3, cls, depth)

    def _table(self, value: Any, cls: type, kind: str, depth: int) -> Captured:
        """A pandas frame or series: its shape, and its columns or its kind of values."""
        fields: list[tuple[str, Any]] = [("shape", value.shape)]
        if kind == "frame-table":
            fields.append(("columns", list(value.columns[: self._max_items])))
        else:
            fields += [("name", value.name), ("dtype", str(value.dtype))]
        return self._fields(fields, len(fields), cls, depth)

    def _numpy_scalar(self, value: Any) -> Captured:
        item = loaded("numpy", "generic").item(value)
        # A type that Python has no match for (longdouble, a structure) gives itself.
        if type(item) is type(value) or kind_of(type(item)) in {"numpy-scalar", "ndarray"}:
            return not_captured(NotCaptured.TYPE, _name_of(type(value)))
        return self.take(item, self._max_depth)

    def locals_of(self, frame: types.FrameType) -> list[list[Any]]:
        names: Any = frame.f_locals
        if type(names) is not LOCALS_PROXY and not issubclass(type(names), dict):
            return []  # what a metaclass's __prepare__ made: any mapping at all
        taken: list[list[Any]] = []
        for name, value in list(itertools.islice(_pairs_of(names), 10 * self._max_items)):
            if type(name) is not str or name.startswith((".", "__")):
                continue
            if len(taken) >= self._max_items:
                break
            hidden = self._hides(name)
            form = not_captured(NotCaptured.REDACTED) if hidden else self.take(value, 1)
            taken.append([printable(name[:200]), form])
        return taken


def _locals_proxy() -> Any:
    return type(sys._getframe().f_locals)


LOCALS_PROXY: Final = _locals_proxy()


def _pairs_of(names: Any) -> Any:
    if issubclass(type(names), dict):
        return dict.items(names)
    return names.items()


def _big_int(value: int) -> Captured:
    bits = value.bit_length()
    if bits > _MAX_INT_BITS:
        return not_captured(NotCaptured.SIZE, "int")
    if bits <= 800:
        return {KIND: "int", "v": str(value)}
    digits = int(bits * 0.30102999566398120) + 1
    if abs(value) < 10 ** (digits - 1):
        digits -= 1
    head = abs(value) // 10 ** max(0, digits - _MAX_INT_DIGITS)
    text = f"-{head}" if value < 0 else str(head)
    form = {KIND: "int", "v": text}
    if digits > _MAX_INT_DIGITS:
        form["len"] = digits  # type: ignore[assignment]
    return form


_TYPES: dict[str, type | None] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": None,
    "view": None,
    "array": None,
}
_LISTS = frozenset({"list", "deque", "view", "array"})
_NESTING: dict[str, Callable[[_Capturer, Any, type, str, int], Captured]] = {
    **dict.fromkeys(_TYPES, _Capturer._sequence),
    "dict": _Capturer._dict,
    "object": _Capturer._object,
    "exception": _Capturer._object,
    "namespace": _Capturer._object,
    "partial": _Capturer._object,
    "ndarray": _Capturer._array,
    "frame-table": _Capturer._table,
    "series": _Capturer._table,
}
#: Subclasses of scalars: by their value alone.
_PLAIN: dict[str, Callable[[_Capturer, Any], Captured]] = {
    "bytes": _Capturer._bytes,
    "bytearray": _Capturer._bytes,
    "memoryview": _Capturer._bytes,
    "numpy-scalar": _Capturer._numpy_scalar,
    "str": lambda capturer, value: capturer.take(str.__str__(value), 0),
    "int": lambda capturer, value: capturer.take(int.__int__(value), 0),
    "float": lambda capturer, value: capturer.take(float.__float__(value), 0),
}
