"""``breakpoint()`` in a process that ``init(debug=True)`` was called in, where no variable can say it."""

from __future__ import annotations

import os
import sys

from treetap.node.launch import BREAKPOINT, BREAKPOINT_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Breakpoint:
    """What ``sys.breakpointhook`` was, while it is ours.

    Usually that is left alone: it calls what ``PYTHONBREAKPOINT`` names, which children inherit. What
    the user or the program has chosen stays.
    """

    def __init__(self) -> None:
        self._former: Any = None
        self._ours: Any = None

    def put(self) -> None:
        """Have ``breakpoint()`` ask for the terminal."""
        is_chosen = os.environ.get(BREAKPOINT_VARIABLE) not in (None, "", BREAKPOINT)
        if is_chosen or sys.breakpointhook is not sys.__breakpointhook__:
            return
        from importlib import import_module

        # By its name, as the interpreter itself would find it.
        package, _, name = BREAKPOINT.rpartition(".")
        self._former = sys.breakpointhook
        self._ours = getattr(import_module(package), name)
        sys.breakpointhook = self._ours

    def take_back(self) -> None:
        """Restore what was there, unless somebody has changed it since; idempotent."""
        if self._ours is not None and sys.breakpointhook is self._ours:
            sys.breakpointhook = self._former
        self._ours = self._former = None
