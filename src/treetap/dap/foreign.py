"""What delve and lldb-dap say of a value, made into the forms of ``model.captured``.

An adapter gives a text for people, and often the type. What is a number, a string, a boolean or nothing
becomes that; of the rest the text is kept. It is never cut at a separator: each value comes by itself.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from treetap.model.captured import KIND

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_SPECIAL = {
    "true": True,
    "false": False,
    "nil": None,
    "NULL": None,
    "nullptr": None,
}
_NOT_FINITE = {"nan": "nan", "inf": "inf", "infinity": "inf"}
#: A string as Go and C write it, perhaps behind a pointer's address; lldb adds dots to one that it cut.
_QUOTED = re.compile(r'(?:0x[0-9a-fA-F]+ )?"((?:[^"\\]|\\.)*)"(\.\.\.)?', re.DOTALL)
#: What delve writes within the quotes at the end of a string that it cut.
_GO_CUT = re.compile(rb"\.\.\.\+([0-9]+) more\Z")
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL
)
_SHORT = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "0": 0, "e": 27}
_CHARACTER = re.compile(r"'((?:[^'\\]|\\.)+)'", re.DOTALL)
_INT_LIMIT = 2**63


class Text(NamedTuple):
    """A string as far as the adapter gave it.

    Attributes:
        shown: The bytes of its beginning.
        missing: How many bytes come after them; -1 for some.
    """

    shown: bytes
    missing: int


def plain(text: str, type_name: str = "") -> Any:
    """The value that ``text`` says; a ``text`` form where it is no plain one."""
    stripped = text.strip()
    if _INTEGER.fullmatch(stripped):
        number = int(stripped)
        inside = -_INT_LIMIT <= number < _INT_LIMIT
        return number if inside else {KIND: "int", "v": str(number)}
    if stripped in _SPECIAL:
        return _SPECIAL[stripped]
    if _FLOAT.fullmatch(stripped):
        return _float(float(stripped))
    bare = stripped.lower().lstrip("+-")
    if bare in _NOT_FINITE:
        sign = "-" if stripped.startswith("-") and bare != "nan" else ""
        return {KIND: "float", "v": sign + _NOT_FINITE[bare]}
    character = _CHARACTER.fullmatch(stripped)
    if character:
        return unescaped(character[1]).decode("utf-8", "replace")
    return {KIND: "text", "type": type_name, "v": text}


def quoted(text: str) -> Text | None:
    """The string that ``text`` writes; ``None`` if it writes none."""
    found = _QUOTED.fullmatch(text.strip())
    if found is None:
        return None
    return Text(unescaped(found[1]), -1 if found[2] else 0)


def cut_by_delve(text: Text) -> Text | None:
    """``text`` as the beginning of a longer one, if it ends as delve ends these; it may be so itself."""
    found = _GO_CUT.search(text.shown)
    return Text(text.shown[: found.start()], int(found[1])) if found else None


def string_form(text: Text, max_chars: int) -> Any:
    """A string, or the ``str`` form of one that is longer than what is there or wanted."""
    value = text.shown.decode("utf-8", "replace")
    if not text.missing and len(value) <= max_chars:
        return value
    # The rest is known in bytes, as these languages count; more than that nobody knows.
    length = len(value) + max(text.missing, 1 if text.missing else 0)
    return {KIND: "str", "v": value[:max_chars], "len": length}


def unescaped(text: str) -> bytes:
    """The bytes that a string literal of Go or C stands for; the quotes are off already."""
    parts: list[bytes] = []
    end = 0
    for found in _ESCAPE.finditer(text):
        parts.append(text[end : found.start()].encode("utf-8", "replace"))
        parts.append(_bytes_of(found))
        end = found.end()
    parts.append(text[end:].encode("utf-8", "replace"))
    return b"".join(parts)


def _bytes_of(escape: re.Match[str]) -> bytes:
    byte, short, long, octal, char = escape.groups()
    if byte:
        return bytes([int(byte, 16)])
    if octal:
        return bytes([int(octal, 8) & 255])
    if short or long:
        number = int(short or long, 16)
        return chr(min(number, 0x10FFFF)).encode("utf-8", "replace")
    return bytes([_SHORT[char]]) if char in _SHORT else char.encode("utf-8", "replace")


def _float(number: float) -> Any:
    return number if number - number == 0.0 else {KIND: "float", "v": repr(number)}
