"""Keeps an answer small enough to be read by a model: what is left out is counted, never dropped silently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec.json

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Of an answer's text.
MAX_ANSWER_BYTES = 40_000
#: Of one text in it, where the whole is too large.
_MAX_TEXT_CHARS = 2_000
#: So many lists are cut before the whole is shown as text.
_MAX_CUTS = 20

_encode = msgspec.json.Encoder(enc_hook=str).encode


def bounded(answer: dict[str, Any], max_bytes: int = MAX_ANSWER_BYTES) -> str:
    """The answer as JSON of at most ``max_bytes``.

    Long texts are cut first, then the largest list, wherever it is, loses its last items, and
    ``left_out`` says of which how many.
    """
    text = _encode(answer)
    if len(text) <= max_bytes:
        return text.decode()
    # A copy of it all, whose lists may be cut.
    answer = _with_short_texts(answer, _MAX_TEXT_CHARS)
    left_out: dict[str, int] = {}
    for _ in range(_MAX_CUTS):
        text = _encode({**answer, "left_out": left_out} if left_out else answer)
        if len(text) <= max_bytes:
            return text.decode()
        largest = max(_lists(answer, ""), key=lambda each: each.size_bytes, default=None)
        if largest is None:
            break
        count = len(largest.items)
        excess = (len(text) - max_bytes) / largest.size_bytes
        # In proportion, and a little more, so that a few rounds are enough; one is kept, so that
        # a list in it may be cut.
        kept = max(1, int(count * (1 - excess) * 0.95))
        left_out[largest.path] = left_out.get(largest.path, 0) + count - kept
        del largest.items[kept:]
    return _encode(_as_text(answer, max_bytes)).decode()


class _List(NamedTuple):
    path: str
    items: list[Any]
    size_bytes: int


def _lists(value: Any, path: str) -> Iterator[_List]:
    """All lists that can lose an item."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _lists(each, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        if len(value) > 1:
            yield _List(path, value, len(_encode(value)))
        for position, each in enumerate(value):
            if isinstance(each, dict | list):
                yield from _lists(each, f"{path}[{position}]")


def _with_short_texts(value: Any, max_chars: int) -> Any:
    if isinstance(value, str) and len(value) > max_chars:
        return f"{value[:max_chars]}… ({len(value) - max_chars} characters more)"
    if isinstance(value, dict):
        return {name: _with_short_texts(each, max_chars) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_with_short_texts(each, max_chars) for each in value]
    return value


def _as_text(answer: dict[str, Any], max_bytes: int) -> dict[str, Any]:
    """Of an answer that is one large thing, as much as fits, as text."""
    text = _encode(answer).decode()
    # A quote or a backslash takes two bytes inside a text, another character up to four.
    kept = max_bytes // 8
    return {"cut_off": text[:kept], "left_out": {"characters": len(text) - kept}}
