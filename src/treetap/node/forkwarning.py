"""Keeps Python from warning of a thread that wasn't there when the process forked.

Since 3.12 ``os.fork`` warns if the process has several threads. Ours are ended before the fork, but
3.13 counts only after the hooks have started them again (seen on 3.13.0). So one warning, the next
one, is left out, by a filter that takes itself away as it is asked.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TEXT = "This process (pid="


class _Once:
    """Stands in a filter for a compiled pattern: it is asked whether it matches."""

    def __init__(self) -> None:
        self._entry: Any = None

    def put(self) -> None:
        entry = ("ignore", self, DeprecationWarning, None, 0)
        self._entry = entry
        _filters().insert(0, entry)
        _tell_mutated()

    def take_away(self) -> None:
        entry, self._entry = self._entry, None
        if entry is None:
            return
        filters = _filters()
        for position, each in enumerate(filters):
            if each is entry:
                del filters[position]
                _tell_mutated()
                break

    def match(self, text: str) -> bool:
        """Asked by the interpreter for each deprecation until the fork's warning comes."""
        if not str(text).startswith(_TEXT):
            return False
        # Only now: taken away in the middle of a search, it would hide its neighbour.
        self.take_away()
        return True


_once = _Once()


def leave_one_out() -> None:
    """Leave the next warning of a fork with threads out."""
    _once.take_away()
    _once.put()


def forget() -> None:
    """Take the filter away, should nobody have asked for it."""
    _once.take_away()


def _module() -> Any:
    # The interpreter looks into the module `warnings` once somebody has imported it.
    import _warnings

    return sys.modules.get("warnings", _warnings)


def _filters() -> list[Any]:
    filters: list[Any] = _module().filters
    return filters


def _tell_mutated() -> None:
    tell = getattr(_module(), "_filters_mutated", None)
    if tell is not None:
        tell()
