"""JSON without ``json``, which would cost a process that starts, wakes or sleeps 8 ms of import."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ESCAPES = {'"': '\\"', "\\": "\\\\"}


def dumps(value: Any) -> str:
    """JSON, in ASCII, of dicts of text keys, texts, ints, bools and ``None``."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{dumps(str(k))}:{dumps(v)}" for k, v in value.items()) + "}"
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(int(value))


def dumps_all(value: Any) -> str:
    """JSON, in ASCII, of all that JSON has: by the encoder in C that ``json`` itself is made of.

    Raises:
        TypeError, ValueError: Not plain data, an infinite number, or a circle.
    """
    import _json  # not by a process that sleeps

    make: Any = _json.make_encoder
    # As `json.dumps` does; None is the indent, and False is for sort_keys, skipkeys and allow_nan.
    escaped = _json.encode_basestring_ascii
    encode = make({}, _refuse, escaped, None, ":", ",", False, False, False)
    return "".join(encode(value, 0))


def _refuse(value: object) -> object:
    raise TypeError(f"a {type(value).__name__} is no plain data")


def loads(text: str) -> Any:
    """What JSON says: by the scanner in C that ``json`` itself is made of.

    Raises:
        ValueError: It is no JSON, or something follows it.
    """
    import _json

    try:
        scan: Any = _json.make_scanner
        value, end = scan(_Scanning)(text, 0)
    except (StopIteration, SystemError, RecursionError) as exc:
        raise ValueError("this is no JSON") from exc
    if text[end:].strip():
        raise ValueError("something follows the JSON")
    return value


class _Scanning:
    """What the scanner wants to know; as ``json.loads`` has it."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    code = ord(char)
    if 32 <= code < 127:
        return char
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
