"""The file by which a node is found, as whoever looks for nodes reads it."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from typing import Any

_MAX_FILE_BYTES = 65536


def read(path: str | PathLike[str]) -> dict[str, Any] | None:
    """What a file says; ``None`` if that is no node, or it is gone by now."""
    try:
        with open(path, "rb") as file:
            entry = json.loads(file.read(_MAX_FILE_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    is_sound = (
        isinstance(entry, dict)
        and type(entry.get("pid")) is int
        and 0 < entry["pid"] < 2**31
        and type(entry.get("start_ns")) is int
        and isinstance(entry.get("name"), str)
        and isinstance(entry.get("control"), dict)
        and type(entry["control"].get("port")) is int
    )
    return entry if is_sound else None
