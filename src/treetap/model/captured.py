"""What one hit captured: scalars as they are, everything else as a bounded, typed structure.

A captured value is made of ``None``, ``bool``, ``int``, ``float``, ``str`` (each of exactly that
type) and of *forms*: dicts whose key ``"$"`` names their kind. Forms are plain data: they cross
the wire and stand in the store as they are.

====================  =====================================================================
kind                  keys
====================  =====================================================================
``int``               ``v``: decimal text of an integer beyond 64 bits (``len``: its digits, if cut)
``float``             ``v``: ``"nan"``, ``"inf"`` or ``"-inf"``
``str``, ``bytes``    ``v``: the beginning; ``len``: the whole length. For a text past the limit,
                      with surrogates, and for every ``bytes`` (``v`` then is escaped text)
``list`` ``tuple``    ``items``: the first items; ``len``; ``type`` if a subclass
``set`` ``frozenset``
``dict``              ``items``: the first ``[key, value]`` pairs; ``len``; ``type`` if a subclass
``object``            ``type``; ``fields``: ``[[name, value], …]``; ``len``: how many fields it has
``text``              ``type``; ``v``: the one useful text of it (a date, a path, an enum member…);
                      ``n``: the number that it is as well (of an ``IntEnum``, a decimal)
``snapshot``          ``locals``: ``[[name, value], …]``; ``stack``: ``[[function, file, line], …]``
``error``             ``type``; ``text``: the exception that the expression raised
``not-captured``      ``reason`` (see ``NotCaptured``); ``type``: of the value, where known
====================  =====================================================================
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    #: What a captured value may be.
    Captured = Any

KIND = "$"


class NotCaptured:
    """Why a value was left out."""

    DEPTH = "depth"
    SIZE = "size"
    REDACTED = "redacted"
    UNSAFE = "would run code"
    CYCLE = "cycle"
    ERROR = "error"
    NO_NAME = "no such name here"
    TYPE = "not a value"


class SkipReason:
    """Why a hit recorded nothing. Always counted, shown by ``treetap probe show``."""

    CONDITION = "condition"
    CONDITION_ERROR = "condition-error"
    SAMPLE = "sample"
    INTERVAL = "sample_interval"
    FIRST = "first"
    THROTTLE = "throttle"
    MAX_HITS = "max_hits"
    REENTRY = "reentry"
    BUDGET = "budget"
    FAULT = "fault"


def not_captured(reason: str, type_name: str = "") -> dict[str, Any]:
    form = {KIND: "not-captured", "reason": reason}
    if type_name:
        form["type"] = type_name
    return form


def error(exception: BaseException) -> dict[str, Any]:
    """The form of a failed expression. Runs no code of a user-defined exception."""
    kind = type(exception)
    text = ""
    if (
        kind.__module__ == "builtins"
        and len(exception.args) == 1
        and type(exception.args[0]) is str
    ):
        text = exception.args[0][:255]
    return {KIND: "error", "type": kind.__name__, "text": text}


def render(value: Captured, max_chars: int = 200) -> str:
    """One line of text for people; never longer than ``max_chars``."""
    text = _render(value)
    text = text.replace("\n", "\\n").replace("\r", "\\r").replace("\x1b", "\\x1b")
    return text if len(text) <= max_chars else text[: max(0, max_chars - 1)] + "…"


def _render(value: Captured) -> str:
    if not isinstance(value, dict):
        return repr(value)
    render_kind = _RENDERERS.get(value.get(KIND, ""), _render_unknown)
    return render_kind(value)


def _render_text(form: dict[str, Any]) -> str:
    return str(form.get("v", ""))


def _render_str(form: dict[str, Any]) -> str:
    text = repr(form["v"])
    return f"{text}… ({form['len']} chars)" if form.get("len", 0) > len(form["v"]) else text


def _render_bytes(form: dict[str, Any]) -> str:
    return f"b'{form['v']}' ({form['len']} bytes)"


_BRACKETS = {
    "list": ("[", "]"),
    "tuple": ("(", ")"),
    "set": ("{", "}"),
    "frozenset": ("{", "}"),
    "dict": ("{", "}"),
}


def _render_items(form: dict[str, Any]) -> str:
    kind = form[KIND]
    items = form["items"]
    if kind == "dict":
        shown = [f"{_render(key)}: {_render(value)}" for key, value in items]
    else:
        shown = [_render(item) for item in items]
    if form["len"] > len(items):
        shown.append(f"… {form['len'] - len(items)} more")
    text = ", ".join(shown)
    if kind == "tuple" and form["len"] == 1:
        text += ","
    opening, closing = _BRACKETS[kind]
    name = form.get("type") or ("frozenset" if kind == "frozenset" else "")
    return f"{name}({opening}{text}{closing})" if name else f"{opening}{text}{closing}"


def _render_object(form: dict[str, Any]) -> str:
    shown = [f"{name}={_render(value)}" for name, value in form["fields"]]
    if form["len"] > len(form["fields"]):
        shown.append(f"… {form['len'] - len(form['fields'])} more")
    return f"{form['type'].rpartition('.')[2]}({', '.join(shown)})"


def _render_snapshot(form: dict[str, Any]) -> str:
    shown = ", ".join(f"{name}={_render(value)}" for name, value in form["locals"])
    where = " < ".join(f"{function}:{line}" for function, _file, line in form["stack"])
    return f"{shown} @ {where}" if where else shown


def _render_error(form: dict[str, Any]) -> str:
    return f"<{form['type']}: {form['text']}>" if form.get("text") else f"<{form['type']}>"


def _render_not_captured(form: dict[str, Any]) -> str:
    kind = f"{form['type']} " if form.get("type") else ""
    return f"<{kind}not captured: {form['reason']}>"


def _render_unknown(form: dict[str, Any]) -> str:
    return f"<{form.get(KIND, 'dict')}>"


_RENDERERS = {
    "int": _render_text,
    "float": _render_text,
    "text": _render_text,
    "str": _render_str,
    "bytes": _render_bytes,
    "list": _render_items,
    "tuple": _render_items,
    "set": _render_items,
    "frozenset": _render_items,
    "dict": _render_items,
    "object": _render_object,
    "snapshot": _render_snapshot,
    "error": _render_error,
    "not-captured": _render_not_captured,
}
