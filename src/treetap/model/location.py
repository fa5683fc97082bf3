"""A location, as the user wrote it: where in a program a probe shall sit.

Three forms::

    shop.py:42                     a line of a file
    shop.py:"total += price"       the line of a file that holds this text
    shop.cart:Cart.add             the entry of a function

The file is matched as a suffix of whole path parts: ``app/shop.py`` matches ``/srv/app/shop.py``
and not ``/srv/myapp/shop.py``.
"""

from __future__ import annotations

from treetap.errors import LocationError
from treetap.model.record import Record

_FORMS = 'Write file.py:42, file.py:"text on the line", or package.module:Class.method.'
_UNNAMED = ("<locals>", "<lambda>")


class Location(Record):
    """Exactly one of ``line``, ``text`` and ``qualname`` says where; the others are empty.

    Attributes:
        file: Path or tail of a path, for ``line`` and ``text``; else ``""``.
        line: 1-based line number, or 0.
        text: A part of the line's text, or ``""``.
        module: Dotted module name, for ``qualname``; else ``""``.
        qualname: Dotted name of a function inside ``module``, or ``""``.
    """

    file: str = ""
    line: int = 0
    text: str = ""
    module: str = ""
    qualname: str = ""

    def __str__(self) -> str:
        if self.qualname:
            return f"{self.module}:{self.qualname}"
        if self.text:
            return f'{self.file}:"{self.text}"'
        return f"{self.file}:{self.line}"

    def matches_file(self, filename: str) -> bool:
        """Whether ``filename`` ends in this location's file, part by part."""
        # Asked of nearly every function of a process, so most have to be turned away fast.
        if not filename.endswith(self.file.replace("\\", "/").rpartition("/")[2]):
            return False
        wanted = _parts(self.file)
        return bool(wanted) and _parts(filename)[-len(wanted) :] == wanted


def parse_location(text: str) -> Location:
    """Read a location; see the module's docstring for the forms.

    Raises:
        LocationError: The text has none of the forms (slug ``location-syntax``).
    """
    place, colon, rest = _split(text.strip())
    if not colon or not place or not rest:
        raise LocationError(f"{text!r} is not a location.", _FORMS, slug="location-syntax")
    if rest[0] in "\"'":
        if len(rest) < 3 or rest[-1] != rest[0]:
            raise LocationError(
                f"{text!r} is not a location: the quoted text has no end.",
                _FORMS,
                slug="location-syntax",
            )
        return Location(file=place, text=rest[1:-1])
    if rest.isdigit():
        if int(rest) < 1:
            raise LocationError(
                f"{text!r} is not a location: lines count from 1.", _FORMS, slug="location-syntax"
            )
        return Location(file=place, line=int(rest))
    if not all(name.isidentifier() or name in _UNNAMED for name in rest.split(".")):
        raise LocationError(
            f"{text!r} is not a location: {rest!r} is neither a line, a quoted text nor a name.",
            _FORMS,
            slug="location-syntax",
        )
    if place.endswith(".py") or "/" in place:
        raise LocationError(
            f"{text!r} is not a location: a function is named by its module, not by its file.",
            f"Write {_as_module(place)}:{rest}.",
            slug="location-syntax",
        )
    return Location(module=place, qualname=rest)


def line_of_text(location: Location, filename: str, text: str) -> int:
    """The number of the one line that holds the location's text.

    Args:
        location: With a ``text``.
        filename: Of the source.
        text: The source.

    Raises:
        LocationError: None does (slug ``location-no-text``), or several do
            (``location-ambiguous``).
    """
    lines = [number for number, line in enumerate(text.splitlines(), 1) if location.text in line]
    if len(lines) == 1:
        return lines[0]
    if not lines:
        raise LocationError(
            f"{location}: no line of {filename} holds that text.",
            "The text is matched as it stands, with its blanks.",
            slug="location-no-text",
        )
    raise LocationError(
        f"{location} is ambiguous: {len(lines)} lines hold that text.",
        f"Use more of the line, or one of the lines {', '.join(map(str, lines[:10]))}.",
        slug="location-ambiguous",
    )


def unreadable(location: Location, filename: str) -> LocationError:
    """What to raise where there is no source to look for the location's text in."""
    return LocationError(
        f"{location}: the source of {filename} can't be read, so its text can't be searched.",
        "Name the line by its number.",
        slug="location-no-source",
    )


def _split(text: str) -> tuple[str, str, str]:
    for quote in ':"', ":'":
        place, mark, rest = text.partition(quote)
        if mark:
            return place, ":", quote[1] + rest
    return text.rpartition(":")


def _parts(path: str) -> list[str]:
    return [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]


def _as_module(path: str) -> str:
    return ".".join(_parts(path.removesuffix(".py")))
