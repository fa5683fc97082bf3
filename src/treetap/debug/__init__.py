"""Hold: one terminal for a whole tree of processes, one prompt at a time.

``pause()`` is what ``breakpoint()`` calls in every process of a tree; ``catch_crashes()`` opens the
same prompt on a dead frame. Nothing here is imported until somebody pauses.
"""

from __future__ import annotations

from treetap.debug.crash import catch_crashes
from treetap.debug.entry import pause

__all__ = ["catch_crashes", "pause"]
