"""Keeps an answer small enough to be read by a model: what is left out is counted, never dropped silently."""

from __future__ import annotations

from typing import Any

import msgspec.json

#: Of an answer's text.
MAX_ANSWER_BYTES = 40_000
#: Of one text in it, where the whole is too large.
_MAX_TEXT_CHARS = 2_000

_encode = msgspec.json.Encoder(enc_hook=str).encode


def bounded(answer: dict[str, Any], max_bytes: int = MAX_ANSWER_BYTES) -> str:
    """The answer as JSON of at most ``max_bytes``.

    Long texts are cut first, then the longest list loses its last items, and ``left_out`` says
    how many.
    """
    text = _encode(answer)
    if len(text) <= max_bytes:
        return text.decode()
    answer = _with_short_texts(answer, _MAX_TEXT_CHARS)
    left_out: dict[str, int] = {}
    while len(text := _encode({**answer, **_note(left_out)})) > max_bytes:
        name = _longest_list(answer)
        if name is None:
            return _encode(_too_large(answer, max_bytes)).decode()
        items = answer[name]
        # In proportion, so that a few rounds are enough.
        kept = min(len(items) - 1, int(len(items) * max_bytes / len(text) * 0.95))
        left_out[name] = left_out.get(name, 0) + len(items) - kept
        answer = {**answer, name: items[:kept]}
    return text.decode()


def _note(left_out: dict[str, int]) -> dict[str, Any]:
    return {"left_out": left_out} if left_out else {}


def _longest_list(answer: dict[str, Any]) -> str | None:
    lists = {name: len(_encode(v)) for name, v in answer.items() if isinstance(v, list) and v}
    return max(lists, key=lambda name: lists[name]) if lists else None


def _with_short_texts(value: Any, max_chars: int) -> Any:
    if isinstance(value, str) and len(value) > max_chars:
        return f"{value[:max_chars]}… ({len(value) - max_chars} characters more)"
    if isinstance(value, dict):
        return {name: _with_short_texts(each, max_chars) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_short_texts(each, max_chars) for each in value]
    return value


def _too_large(answer: dict[str, Any], max_bytes: int) -> dict[str, Any]:
    """Of an answer that is one large thing, as much as fits, as text."""
    text = _encode(answer).decode()
    # A quote or a backslash takes two bytes inside a text, a character up to six.
    return {
        "cut_off": text[: max_bytes // 8],
        "left_out": {"characters": len(text) - max_bytes // 8},
    }
