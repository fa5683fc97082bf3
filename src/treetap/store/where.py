"""``where=order.total<0``: events by the value of an expression, in SQL.

Numbers compare with numbers only, texts with texts: SQLite would find every text larger than every
number. A text that was cut, and the forms that have one useful text (``model.captured``), compare
by their ``v``; those that are a number as well, such as an ``IntEnum``'s member, by that too.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, ColumnElement, Float, Text, and_, case, cast, func, literal, not_, or_

from treetap.errors import StoreError
from treetap.store import schema
from treetap.store.event import Comparison

if TYPE_CHECKING:
    from collections.abc import Iterable

OPERATORS = ("==", "!=", "<=", ">=", "<", ">", "~")
_REST = re.compile(r"\s*(==|!=|<=|>=|<|>|~)\s*(.+)\Z", re.DOTALL)
_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}


def parse_where(
    text: str, expressions: Iterable[tuple[int, tuple[str, ...]]]
) -> tuple[Comparison, ...]:
    """Read a ``where``.

    Args:
        text: Expression, operator, value. The value is a number, a quoted text, ``true``,
            ``false``, ``null``; anything else is a text as it stands.
        expressions: Number and expressions of each probe that may be meant.

    Returns:
        One comparison for each probe that takes the expression.

    Raises:
        StoreError: The text is none (slug ``where-syntax``), or no probe takes the expression
            (``where-unknown``).
    """
    known = {(probe, i): e for probe, each in expressions for i, e in enumerate(each)}
    # An expression may hold an operator itself, so that the known ones are tried, longest first.
    for expression in sorted(set(known.values()), key=len, reverse=True):
        rest = _REST.match(text, len(expression)) if text.startswith(expression) else None
        if rest:
            operator, value = rest[1], _constant(rest[2].strip())
            _check(text, operator, value)
            return tuple(
                Comparison(probe, i, operator, value)
                for (probe, i), each in known.items()
                if each == expression
            )
    if not re.search(r".\s*(==|!=|<=|>=|<|>|~)\s*\S", text):
        raise StoreError(
            f"{text!r} is no comparison.",
            f"Write an expression, one of {' '.join(OPERATORS)}, and a value: order.total<0",
            slug="where-syntax",
        )
    raise StoreError(
        f"No probe here takes the expression of {text!r}.",
        f"They take: {', '.join(sorted(set(known.values()))[:20]) or 'none'}.",
        slug="where-unknown",
    )


def _constant(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    if type(value) is int and abs(value) >= 2**63:
        return float(value)
    return value if type(value) in (int, float, str) else text


def _check(text: str, operator: str, value: Any) -> None:
    if operator in ("<", "<=", ">", ">=") and (value is None or isinstance(value, bool)):
        raise StoreError(
            f"{text!r} asks for the order of {value}, which has none.",
            "Use == or !=.",
            slug="where-syntax",
        )
    if operator == "~" and not isinstance(value, str):
        raise StoreError(
            f"{text!r} asks whether a text contains {value!r}, which is no text.",
            "Put it in quotes.",
            slug="where-syntax",
        )


def condition(comparison: Comparison, dialect: str) -> ColumnElement[bool]:
    """The comparison as a part of a WHERE on ``schema.event``, for this dialect's JSON."""
    value = _PostgresValue if dialect == "postgresql" else _SqliteValue
    return and_(
        schema.event.c.probe == comparison.probe,
        schema.event.c.lost == 0,
        _compare(value(comparison.position), comparison.operator, comparison.value),
    )


def _compare(read: _SqliteValue | _PostgresValue, operator: str, value: Any) -> ColumnElement[bool]:
    if operator == "!=":
        return not_(_compare(read, "==", value))
    if value is None:
        return read.is_null()
    if isinstance(value, bool):
        return read.is_bool(value)
    if isinstance(value, str):
        found = read.text()
        if operator == "~":
            return func.coalesce(found.contains(value, autoescape=True), literal(value=False))
    else:
        found = read.number()
    compared = {
        "==": found == value,
        "<": found < value,
        "<=": found <= value,
        ">": found > value,
        ">=": found >= value,
    }[operator]
    return func.coalesce(compared, literal(value=False))


class _SqliteValue:
    """Value number ``position`` of an event, read by SQLite's JSON functions."""

    def __init__(self, position: int) -> None:
        self._path = f"$[{position}]"
        self._type = func.json_type(schema.event.c.captured, self._path)

    def is_null(self) -> ColumnElement[bool]:
        return func.coalesce(self._type == "null", literal(value=False))

    def is_bool(self, value: bool) -> ColumnElement[bool]:
        wanted = "true" if value else "false"
        return func.coalesce(self._type == wanted, literal(value=False))

    def number(self) -> ColumnElement[Any]:
        found = func.json_extract(schema.event.c.captured, self._path)
        of_form = func.json_extract(schema.event.c.captured, self._path + ".n")
        return case(
            (self._type.in_(["integer", "real"]), found),
            (self._type == "object", of_form),
            else_=None,
        )

    def text(self) -> ColumnElement[str]:
        found = func.json_extract(schema.event.c.captured, self._path, type_=Text)
        of_form = func.json_extract(schema.event.c.captured, self._path + ".v", type_=Text)
        return case((self._type == "text", found), (self._type == "object", of_form), else_=None)


class _PostgresValue:
    """The same by PostgreSQL's."""

    def __init__(self, position: int) -> None:
        as_json = cast(schema.event.c.captured, JSON)
        self._text = func.json_extract_path_text(as_json, str(position), type_=Text)
        self._form = func.json_extract_path_text(as_json, str(position), "v", type_=Text)
        self._number = func.json_extract_path_text(as_json, str(position), "n", type_=Text)
        self._type = func.json_typeof(func.json_extract_path(as_json, str(position)))

    def is_null(self) -> ColumnElement[bool]:
        return func.coalesce(self._type == "null", literal(value=False))

    def is_bool(self, value: bool) -> ColumnElement[bool]:
        wanted = "true" if value else "false"
        return func.coalesce(
            and_(self._type == "boolean", self._text == wanted), literal(value=False)
        )

    def number(self) -> ColumnElement[Any]:
        return case(
            (self._type == "number", cast(self._text, Float)),
            (self._type == "object", cast(self._number, Float)),
            else_=None,
        )

    def text(self) -> ColumnElement[str]:
        return case(
            (self._type == "string", self._text), (self._type == "object", self._form), else_=None
        )


def any_of(comparisons: Iterable[Comparison], dialect: str) -> ColumnElement[bool]:
    return or_(*(condition(each, dialect) for each in comparisons))
