"""Where a probe is, as a file and a line; and which frames of a stack are shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from treetap.errors import LocationError
from treetap.model.location import parse_location

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treetap.model.status import ProbeStatus

T = TypeVar("T")

_SITE = re.compile(r"(?P<file>.*):(?P<line>\d+)(?: |$)")


def place_of(location: str, statuses: Iterable[ProbeStatus] = ()) -> dict[str, Any]:
    """``{"file": …, "line": …}`` of a location as it is written.

    A function or a text has a line only where it is armed: the first site tells. Elsewhere the
    location stands for the file, and the line is 0.
    """
    try:
        parsed = parse_location(location)
    except LocationError:
        return {"file": location, "line": 0}
    if parsed.line:
        return {"file": parsed.file, "line": parsed.line}
    for status in statuses:
        for site in status.sites:
            found = _SITE.match(site)
            if found:
                return {"file": found["file"], "line": int(found["line"])}
    return {"file": parsed.file or location, "line": 0}


def armed_line(statuses: Iterable[ProbeStatus]) -> int | None:
    """The line that an adapter or an engine chose; ``None`` if the probe is armed nowhere."""
    for status in statuses:
        for site in status.sites:
            found = _SITE.match(site)
            if found:
                return int(found["line"])
    return None


def sliced(frames: list[T], wanted: tuple[int, int] | None) -> list[T]:
    """The first and the last frames; no frame twice, and all if ``wanted`` is ``None``."""
    if wanted is None or sum(wanted) >= len(frames):
        return frames
    head, tail = wanted
    return frames[:head] + (frames[-tail:] if tail else [])
