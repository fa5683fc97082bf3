"""Which files a location means: those of the program, not our own.

An awake process has treetap's modules loaded, and their names (``settings.py``, ``code.py``) are names that
programs use. A location means one of them only if it says so: ``treetap/probe/code.py:12``.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treetap.model.location import Location

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_NAME = "treetap"


def means_file(location: Location, filename: str) -> bool:
    """Whether ``location`` means the file of this name."""
    if not location.matches_file(filename):
        return False
    return not filename.startswith(_OURS) or _NAME in location.file.replace("\\", "/").split("/")
