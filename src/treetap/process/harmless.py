"""Text of a strange program, made fit for a log: it can't move the cursor, nor forge a line."""

from __future__ import annotations

import re

#: Control characters but for the tab; what ends a line for ``str.splitlines``; and what reverses the
#: direction of the text after it (CVE-2021-42574).
_HARMFUL = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_HARMLESS_ASCII = bytes([9, *range(0x20, 0x7F)])


def make_harmless(text: str) -> str:
    r"""``text`` with each harmful character written as Python would: ``\x1b``."""
    return _HARMFUL.sub(_escaped, text)


def make_all_harmless(texts: list[str]) -> list[str]:
    """Each of ``texts``, made harmless; the same list if they are already."""
    # One look at all of them together: nearly always there is nothing to do.
    joined = "".join(texts)
    if joined.isascii():
        if not joined.encode().translate(None, _HARMLESS_ASCII):
            return texts
    elif not _HARMFUL.search(joined):
        return texts
    return [_HARMFUL.sub(_escaped, text) for text in texts]


def safe_repr(error: Exception) -> str:
    """``repr(error)``, harmless; of an error that has none, what kind it is."""
    try:
        return make_harmless(repr(error))
    except Exception:  # noqa: BLE001 - somebody else's __repr__
        return type(error).__name__


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
