"""Makes rows fit for the wire.

The hot path keeps exact scalars as they are. Most rows can go as they are; a batch is checked
column by column, at C speed, and only one that holds something else is gone through value by value.
"""

from __future__ import annotations

from math import isfinite

from treetap.model.captured import KIND, NotCaptured, not_captured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Row = tuple[Any, ...]

_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1
#: Beyond this Python refuses to write an integer out, for the time that it takes.
_MAX_INT_BITS = 13_000
_MAX_DEPTH = 20


def fit_rows(rows: list[Row], max_chars: int) -> list[Row]:
    """``rows`` themselves if they can go as they are, else plain ones."""
    try:
        columns = list(zip(*rows, strict=True))
    except ValueError:
        return plain_rows(rows, max_chars)
    if all(_is_fit(column, max_chars) for column in columns):
        return rows
    return plain_rows(rows, max_chars)


def plain_rows(rows: list[Row], max_chars: int) -> list[Row]:
    """Rows of plain data, whatever was in them."""
    return [tuple(plain(value, max_chars) for value in row) for row in rows]


def plain(value: Any, max_chars: int = 255, depth: int = 0) -> Any:
    """A captured value that surely can be encoded; a form for what can't."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if _INT_MIN <= value <= _INT_MAX else _int_form(value, max_chars)
    if kind is float:
        return value if isfinite(value) else {KIND: "float", "v": str(value)}
    if kind is str:
        return _plain_text(value, max_chars)
    if kind is bytes:
        shown = repr(value[:max_chars])[2:-1]
        return {KIND: "bytes", "v": shown, "len": len(value)}
    if depth >= _MAX_DEPTH:
        return not_captured(NotCaptured.DEPTH)
    if kind in (list, tuple):
        return [plain(each, max_chars, depth + 1) for each in value]
    if kind is dict:
        return {_key(k): plain(each, max_chars, depth + 1) for k, each in value.items()}
    return not_captured(NotCaptured.TYPE, kind.__name__)


def _is_fit(column: tuple[Any, ...], max_chars: int) -> bool:
    types = set(map(type, column))
    if types <= {int, bool}:
        return bool(min(column) >= _INT_MIN and max(column) <= _INT_MAX)
    if types == {str}:
        return max(map(len, column)) <= max_chars and _is_text_sound("".join(column))
    if float in types and types <= {float, int, bool}:
        # One that isn't finite makes the sum so; a sum that overflows is looked at more closely.
        return _is_sum_finite(column)
    if bytes in types:
        return False
    return all(_is_value_fit(value, max_chars) for value in column)


def _is_value_fit(value: Any, max_chars: int) -> bool:
    kind = type(value)
    if kind is str:
        return len(value) <= max_chars and _is_text_sound(value)
    if kind is int:
        return bool(_INT_MIN <= value <= _INT_MAX)
    return kind is not float or bool(isfinite(value))


def _is_sum_finite(column: tuple[Any, ...]) -> bool:
    try:
        return bool(isfinite(sum(column)))
    except OverflowError:
        return False


def _is_text_sound(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain_text(text: str, max_chars: int) -> Any:
    if len(text) <= max_chars:
        if text.isascii():
            return text
        try:
            text.encode()
        except UnicodeEncodeError:
            pass
        else:
            return text
    shown = text[:max_chars].encode("utf-8", "backslashreplace").decode()
    return {KIND: "str", "v": shown, "len": len(text)}


def _int_form(value: int, max_chars: int) -> Any:
    if value.bit_length() > _MAX_INT_BITS:
        return not_captured(NotCaptured.SIZE, "int")
    try:
        digits = str(value)
    except ValueError:  # the program has lowered the interpreter's limit
        return not_captured(NotCaptured.SIZE, "int")
    form: dict[str, Any] = {KIND: "int", "v": digits[:max_chars]}
    if len(digits) > max_chars:
        form["len"] = len(digits)
    return form


def _key(key: Any) -> str:
    if type(key) is not str:
        return str(key) if type(key) in (int, bool) else "?"
    text = plain(key)
    return text if isinstance(text, str) else str(text["v"])
