"""Colours at the prompt, where the terminal has them and nobody has said no (``NO_COLOR``)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from treetap.debug.editing.editor import can_edit

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER = "1;36"
PLACE = "36"
CURRENT = "1"
_OFF = "\x1b[0m"


def can_colour(environment: Mapping[str, str] | None = None) -> bool:
    """Whether the prompt may be in colours."""
    environment = os.environ if environment is None else environment
    if environment.get("NO_COLOR") or environment.get("PYTHON_COLORS") == "0":
        return False
    return can_edit(environment)


def painted(text: str, colour: str) -> str:
    """Each line of ``text`` in ``colour``."""
    return "\n".join(f"\x1b[{colour}m{line}{_OFF}" if line else "" for line in text.split("\n"))


def painted_entry(entry: str, *, is_current: bool) -> str:
    """What pdb shows of a frame: where it is, and its line behind an arrow."""
    place, arrow, line = entry.partition("\n-> ")
    return painted(place, PLACE) + arrow + (painted(line, CURRENT) if is_current else line)
