"""The level of relayed lines: ``IO``, 21, just above ``INFO``.

So they are seen where INFO is, and a filter can tell them from everything else that is logged there.
"""

from __future__ import annotations

import logging

from treetap.errors import SupervisionError

IO = 21

# Once a process, for the table is the process's. A name that somebody gave 21 before stays; "io" is
# understood all the same.
if logging.getLevelName(IO) == f"Level {IO}":
    logging.addLevelName(IO, "IO")


def resolve(level: str | int) -> int:
    """The number of a level.

    Args:
        level: A number, or a name that ``logging`` knows, in any case; or ``"io"``.

    Raises:
        SupervisionError: Neither.
    """
    if isinstance(level, int) and not isinstance(level, bool):
        return level
    known = {**logging.getLevelNamesMapping(), "IO": IO}
    if isinstance(level, str):
        if level in known:
            return known[level]
        if level.upper() in known:
            return known[level.upper()]
    names = ", ".join(sorted(known, key=lambda name: (known[name], name)))
    raise SupervisionError(
        f"relay_level {level!r} is no level of logging.",
        f"It is a number, or one of {names}; logging.addLevelName() makes another.",
    )
