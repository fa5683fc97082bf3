"""A captured value as ``valueJson``, which here always is JSON, and as Detrix's typed projection.

Detrix puts the text that debugpy printed into ``valueJson``: ``True``, ``{'a': 1}``, a string
without quotes, and ``"42"`` for both the number and the string.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

from treetap.model.captured import KIND, NotCaptured, render

_LISTS = ("list", "tuple", "set", "frozenset")


class Value(NamedTuple):
    """One value of an event.

    Attributes:
        plain: As JSON has it; ``None`` also for what was not captured.
        is_whole: Nothing of it was cut off or left out.
    """

    plain: Any
    is_whole: bool

    @property
    def text(self) -> str:
        """The value as JSON."""
        return json.dumps(self.plain, ensure_ascii=False, allow_nan=False)

    @property
    def number(self) -> float | None:
        if isinstance(self.plain, bool) or not isinstance(self.plain, int | float):
            return None
        try:
            return float(self.plain)
        except OverflowError:
            return None

    @property
    def typed(self) -> dict[str, Any] | None:
        """``typedValue`` of REST; lists, objects and null have none."""
        if isinstance(self.plain, bool):
            return {"boolValue": self.plain}
        if isinstance(self.plain, str):
            return {"stringValue": self.plain}
        number = self.number
        return None if number is None else {"numericValue": number}


def value_of(captured: Any) -> Value:
    """A captured value (``treetap.model.captured``)."""
    cut: list[str] = []
    plain = _plain(captured, cut)
    return Value(plain, not cut)


def failure_of(captured: Any) -> tuple[str, str] | None:
    """Type and text of the exception that took the value's place; ``None`` if none did."""
    if not isinstance(captured, dict):
        return None
    kind = captured.get(KIND)
    if kind == "error":
        text = str(captured.get("text", ""))
        name = str(captured.get("type", "Exception"))
        return name, f"{name}: {text}" if text else name
    if kind == "not-captured" and captured.get("reason") == NotCaptured.NO_NAME:
        return "NameError", "NameError: no such name here"
    return None


def _plain(captured: Any, cut: list[str]) -> Any:
    if not isinstance(captured, dict):
        if isinstance(captured, float) and not math.isfinite(captured):
            return str(captured)
        return captured
    kind = captured.get(KIND)
    if kind == "int":
        return _integer(captured, cut)
    if kind in ("float", "str", "bytes", "text"):
        return _text(captured, cut)
    if kind in _LISTS:
        _note_cut(captured, "items", cut)
        return [_plain(item, cut) for item in captured["items"]]
    if kind == "dict":
        _note_cut(captured, "items", cut)
        return {_key(key): _plain(value, cut) for key, value in captured["items"]}
    if kind == "object":
        _note_cut(captured, "fields", cut)
        return {str(name): _plain(value, cut) for name, value in captured["fields"]}
    if kind == "snapshot":
        return {str(name): _plain(value, cut) for name, value in captured.get("locals", ())}
    cut.append(str(kind))
    return None


def _integer(form: dict[str, Any], cut: list[str]) -> Any:
    digits = str(form.get("v", ""))
    if form.get("len", 0) > len(digits.lstrip("-")):
        cut.append("int")
        return digits
    try:
        return int(digits)
    except ValueError:
        return digits


def _text(form: dict[str, Any], cut: list[str]) -> Any:
    if "n" in form and isinstance(form["n"], int | float):
        return _plain(form["n"], cut)
    text = str(form.get("v", ""))
    if form.get("len", 0) > len(text):
        cut.append("str")
    return text


def _note_cut(form: dict[str, Any], name: str, cut: list[str]) -> None:
    if form.get("len", 0) > len(form[name]):
        cut.append(name)


def _key(captured: Any) -> str:
    return captured if isinstance(captured, str) else render(captured)
