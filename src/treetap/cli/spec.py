"""What people write on a command line: durations, points in time, a probe in one text.

All of it is pure, and knows nothing of typer: ``treetap run`` is quick because it doesn't load it.
"""

from __future__ import annotations

import re
import time
from datetime import datetime

from treetap.errors import TreetapError

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+\Z")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_OPENING = {"(": ")", "[": "]", "{": "}"}
_QUOTES = "\"'"

#: Between the parts of a ``--probe`` whose expressions were words of their own: no argument of a
#: process can hold it.
SEPARATOR = "\0"


class UsageError(TreetapError):
    """A command line that can't be read."""

    slug = "usage"


def duration_s(text: str) -> float:
    """``"90"``, ``"10m"``, ``"1h30m"``, ``"250ms"`` in seconds; ``"never"`` is 0.

    Raises:
        UsageError: The text is no duration.
    """
    written = text.strip().lower()
    if written == "never":
        return 0.0
    if re.fullmatch(r"\d+(\.\d+)?", written):
        return float(written)
    if not _DURATION.match(written):
        raise UsageError(f"{text!r} is not a duration. Write 90, 45s, 10m, 1h30m, 2d or never.")
    return sum(float(number) * _UNITS_S[unit] for number, unit in _DURATION_PART.findall(written))


def moment_ns(text: str) -> int:
    """A point in time in nanoseconds since the epoch.

    ``"10m"`` is ten minutes ago; ``"2026-11-21T09:30"`` and ``"09:30"`` are local time unless they
    name a zone; a bare number of at least nine digits is seconds since the epoch.

    Raises:
        UsageError: The text is no point in time.
    """
    written = text.strip()
    if re.fullmatch(r"\d{9,}(\.\d+)?", written):
        return int(float(written) * 1e9)
    if _DURATION.match(written.lower()):
        return time.time_ns() - int(duration_s(written) * 1e9)
    if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", written):
        written = f"{datetime.now().astimezone():%Y-%m-%d}T{written:0>5}"
    try:
        return int(datetime.fromisoformat(written).timestamp() * 1e9)
    except ValueError:
        raise UsageError(
            f"{text!r} is no point in time. Write 10m (ago), 09:30, or 2026-11-21T09:30."
        ) from None


def split_probe(text: str) -> tuple[str, list[str]]:
    """Split ``LOCATION EXPR…`` into the location and its expressions.

    Blanks inside quotes or brackets don't separate, so ``shop.py:"total += price"`` and
    ``f(a, b)`` stay whole; any other expression with blanks is quoted as a whole, and loses these
    quotes: ``"a + b"``. A shell's own rules (``shlex``) would take the quotes out of
    ``headers["Host"]``, too.

    Raises:
        UsageError: A quote or bracket has no end, or there is nothing.
    """
    words = text.split(SEPARATOR) if SEPARATOR in text else [_unquoted(w) for w in _words(text)]
    if not words or not words[0]:
        raise UsageError("A probe begins with its location: 'shop.py:42 order.total'.")
    return words[0], words[1:]


def is_whole_probe(text: str) -> bool:
    """Whether ``text`` already holds expressions behind its location."""
    try:
        return len(_words(text)) > 1
    except UsageError:
        return True  # it will be refused with the reason


def _words(text: str) -> list[str]:
    words: list[str] = []
    word = ""
    closers: list[str] = []  # what must still come, innermost last
    for character in text:
        in_quotes = bool(closers) and closers[-1] in _QUOTES
        if closers and character == closers[-1]:
            closers.pop()
        elif in_quotes:
            pass
        elif character in _QUOTES:
            closers.append(character)
        elif character in _OPENING:
            closers.append(_OPENING[character])
        elif character.isspace() and not closers:
            words += [word] if word else []
            word = ""
            continue
        word += character
    if closers:
        raise UsageError(f"{text!r} has no closing {closers[-1]}.")
    return [*words, word] if word else words


def _unquoted(word: str) -> str:
    quote = word[0]
    if quote in _QUOTES and len(word) > 2 and word.find(quote, 1) == len(word) - 1:
        return word[1:-1]
    return word
