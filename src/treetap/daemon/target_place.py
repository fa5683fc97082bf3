"""From a location, as its user wrote it, to a file and a line as an adapter wants them."""

from __future__ import annotations

import asyncio
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from treetap.daemon.target_identity import is_local
from treetap.errors import LocationError
from treetap.model.location import line_of_text, unreadable

if TYPE_CHECKING:
    from treetap.daemon.target_identity import Registration
    from treetap.dap import Session
    from treetap.model.location import Location

#: Of a source file that a text is searched in.
_MAX_SOURCE_BYTES = 10 * 1024 * 1024


class Place(NamedTuple):
    """Attributes:
    file: Absolute, as the program sees it.
    line: From 1.
    """

    file: str
    line: int


class NotYet(NamedTuple):
    """There is no such place so far; there may be one when more is imported.

    Attributes:
        why: For the probe's status.
    """

    why: str


async def resolve(
    location: Location, registration: Registration, session: Session
) -> Place | NotYet:
    """Where a location is in the program behind ``session``.

    Raises:
        LocationError: It is ambiguous, or its text is in no line or in several.
        DapError: The adapter is gone.
    """
    if location.qualname:
        found = await session.find_function(location.module, location.qualname)
        if found is None:
            return NotYet(f"no function {location} is loaded there")
        return Place(*found)
    file = await _file(location, registration, session)
    if isinstance(file, NotYet):
        return file
    if location.text:
        return Place(file, await asyncio.to_thread(_line_of_text, location, file))
    return Place(file, location.line)


async def _file(location: Location, registration: Registration, session: Session) -> str | NotYet:
    if _is_absolute(location.file):
        return location.file
    loaded = await session.find_sources(location.file)
    if len(loaded) > 1:
        listed = "\n".join(sorted(loaded)[:10])
        raise LocationError(
            f"{location} is ambiguous: {len(loaded)} files that are loaded match.",
            f"Name more of the path:\n{listed}",
            slug="location-ambiguous",
        )
    if loaded:
        return loaded[0]
    guess = posixpath.join(registration.workspace_root, location.file)
    # What is on another machine's disk can't be seen from here: the adapter will say.
    if _is_absolute(guess) and (
        not is_local(registration) or await asyncio.to_thread(_is_file, guess)
    ):
        return posixpath.normpath(guess)
    return NotYet(f"no file that is loaded there ends in {location.file}")


def _is_absolute(path: str) -> bool:
    """Of a program on any system: a drive's letter begins an absolute path too."""
    return path.startswith(("/", "\\")) or path[1:3] in (":/", ":\\")


def _is_file(path: str) -> bool:
    return Path(path).is_file()


def _line_of_text(location: Location, file: str) -> int:
    """Raises ``LocationError`` if it isn't one line's."""
    try:
        with Path(file).open("rb") as source:
            text = source.read(_MAX_SOURCE_BYTES).decode(errors="replace")
    except OSError as exc:
        raise unreadable(location, file) from exc
    return line_of_text(location, file, text)
