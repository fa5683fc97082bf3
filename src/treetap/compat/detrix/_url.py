"""A URL that is text, and knows its parts by the names that pydantic gives them.

detrix-py 1.2.0 hands out a pydantic ``AnyUrl``, which is no text; programs call ``str`` on it or read its
parts. pydantic isn't needed for that.
"""

from __future__ import annotations

from urllib.parse import urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Url(str):
    """A URL in the form that pydantic writes: with a ``/`` where it has no path."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        parts = urlsplit(text)
        return super().__new__(cls, parts._replace(path=parts.path or "/").geturl())

    @property
    def scheme(self) -> str:
        return urlsplit(self).scheme

    @property
    def username(self) -> str | None:
        return urlsplit(self).username

    @property
    def password(self) -> str | None:
        return urlsplit(self).password

    @property
    def host(self) -> str | None:
        return urlsplit(self).hostname

    @property
    def port(self) -> int | None:
        parts = urlsplit(self)
        return parts.port or _DEFAULT_PORTS.get(parts.scheme)

    @property
    def path(self) -> str | None:
        return urlsplit(self).path or None

    @property
    def query(self) -> str | None:
        return urlsplit(self).query or None

    @property
    def fragment(self) -> str | None:
        return urlsplit(self).fragment or None

    def unicode_string(self) -> str:
        return str(self)
