"""Turns what somebody wrote for a setting into its value.

Each check takes what was given (text from the environment, a value of its own type from an
argument or ``config.toml``) and raises ``ValueError`` or ``TypeError`` with the reason; ``resolve`` adds the
setting's name and origin.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WEEK_S = 7 * 86400
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


def text(given: Any) -> str:
    """Any text without control characters."""
    if not isinstance(given, str):
        raise TypeError("it must be text")
    if any(ord(char) < 32 or ord(char) == 127 for char in given):
        raise ValueError("it must not hold control characters")
    return given.strip()


def host(given: Any) -> str:
    """A host name or address, without scheme and port."""
    name = text(given)
    if "/" in name or " " in name or (":" in name and name.count(":") < 2):
        raise ValueError("it must be a host name or an address, without scheme and port")
    return name.strip("[]")


def port(given: Any) -> int:
    """0 (any free one) to 65535."""
    number = _integer(given)
    if not 0 <= number <= 65535:
        raise ValueError("a port is a number from 0 to 65535")
    return number


def limit(given: Any) -> float:
    """A number of seconds that people wait, at most a week; 0 for no limit."""
    if given in ("0", 0) and given is not False:
        return 0.0
    return _seconds(given, _WEEK_S)


def seconds(given: Any) -> float:
    """A positive, finite number of seconds."""
    return _seconds(given, 3600)


def _seconds(given: Any, most_s: int) -> float:
    if isinstance(given, str):
        try:
            given = float(given)
        except ValueError:
            raise ValueError("it must be a number of seconds") from None
    if type(given) not in (int, float):
        raise ValueError("it must be a number of seconds")
    if not 0 < given <= most_s:
        raise ValueError(f"it must be more than 0 and at most {most_s} seconds")
    return float(given)


def switch(given: Any) -> bool:
    """True or false, in words or as 1 and 0."""
    if isinstance(given, bool):
        return given
    word = given.strip().lower() if isinstance(given, str) else given
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"it must be one of {', '.join(_TRUE + _FALSE)}")


def url(given: Any) -> str:
    """An ``http`` or ``https`` URL of a host; trailing slashes are dropped."""
    address = text(given)
    scheme, separator, rest = address.partition("://")
    if not separator or not rest.split("/")[0]:
        raise ValueError("write it as http://host:port")
    if scheme.lower() not in ("http", "https"):
        raise ValueError(f"its scheme is {scheme!r}; http and https are known")
    place = rest.split("/")[0]
    if "@" in place or "?" in rest or "#" in rest or " " in rest:
        raise ValueError("write it as http://host:port, without user, query and fragment")
    name, colon, number = place.rpartition(":")
    if colon and not name.endswith(":") and "]" not in number:
        if not name:
            raise ValueError("it names no host; write it as http://host:port")
        port(number)
    return f"{scheme.lower()}://{rest.rstrip('/')}"


def directory(given: Any) -> str:
    """A path of a directory that is, or may be made; absolute afterwards."""
    path = os.path.abspath(os.path.expanduser(text(os.fspath(given))))
    if os.path.exists(path) and not os.path.isdir(path):
        raise ValueError("it is not a directory")
    return path


def existing_directory(given: Any) -> str:
    """A path of a directory that is there."""
    path = directory(given)
    if not os.path.isdir(path):
        raise ValueError("there is no such directory")
    return path


def existing_file(given: Any) -> str:
    """A path of a file that is there."""
    path = os.path.abspath(os.path.expanduser(text(os.fspath(given))))
    if not os.path.isfile(path):
        raise ValueError("there is no such file")
    return path


def names(given: Any) -> tuple[str, ...]:
    """Names, as a list or separated by commas."""
    parts = given.split(",") if isinstance(given, str) else given
    if not isinstance(parts, (list, tuple)):
        raise TypeError("it must be a list of names, or names separated by commas")
    return tuple(name for name in (text(part) for part in parts) if name)


def origins(given: Any) -> tuple[str, ...]:
    """Origins of web pages, as a list or separated by commas; in lower case."""
    found = tuple(origin.lower() for origin in names(given))
    for origin in found:
        if url(origin) != origin or "/" in origin.partition("://")[2]:
            raise ValueError(f"{origin[:80]!r} is no site; write http://localhost:3000")
    return found


def database(given: Any) -> str:
    """A URL of a database for the daemon; ``""`` for a file of its own."""
    found = text(given)
    kind, _, driver = found.partition(":")[0].partition("+")
    if not found:
        return found
    if "://" not in found or kind not in ("sqlite", "postgresql"):
        raise ValueError("it must be sqlite:////absolute/path.db or postgresql://user@host/name")
    if kind == "postgresql":
        from importlib.util import find_spec

        if find_spec(driver or "psycopg") is None:
            raise ValueError("its driver is not installed: pip install 'treetap[postgresql]'")
    return found


def paths(given: Any) -> tuple[str, ...]:
    """Paths of a URL, as a list or separated by commas."""
    found = names(given)
    for path in found:
        if not path.startswith("/") or "?" in path or "#" in path or " " in path:
            raise ValueError(f"{path[:80]!r} is no path; write /metrics")
    return found


def whole(least: int, most: int) -> Any:
    """A check for a whole number between two."""

    def check(given: Any) -> int:
        number = _integer(given)
        if not least <= number <= most:
            raise ValueError(f"it must be a whole number from {least} to {most}")
        return number

    return check


def number(least: float, most: float) -> Any:
    """A check for a number between two."""

    def check(given: Any) -> float:
        if isinstance(given, str):
            try:
                given = float(given)
            except ValueError:
                raise ValueError("it must be a number") from None
        # Not a number compares with nothing.
        if type(given) not in (int, float) or not least <= given <= most:
            raise ValueError(f"it must be a number from {least:g} to {most:g}")
        return float(given)

    return check


def one_of(*choices: str) -> Any:
    """A check for one of these words."""

    def check(given: Any) -> str:
        if given not in choices:
            raise ValueError(f"it must be one of {', '.join(choices)}")
        return str(given)

    return check


def _integer(given: Any) -> int:
    if type(given) is int:
        return given
    digits = given.strip() if isinstance(given, str) else ""
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError("it must be a whole number")
    return int(digits[:20])
