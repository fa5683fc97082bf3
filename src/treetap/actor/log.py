"""The log of an actor: to standard error, each line with the actor's name."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT = "%(asctime)s %(levelname)s [%(processName)s %(process)d] %(name)s: %(message)s"


def configure(name: str, level: int) -> None:
    """Log to standard error from ``level`` on; every record's ``processName`` is the actor's name.

    A program that sets up its own logging in the actor (``basicConfig(force=True)``,
    ``dictConfig``) finds the name in its records all the same.
    """
    logging.setLogRecordFactory(_named(logging.getLogRecordFactory(), name))
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)


def _named(make: Callable[..., logging.LogRecord], name: str) -> Callable[..., logging.LogRecord]:
    def make_named(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.processName = name
        return record

    return make_named


def level_of(given: int | str | None) -> int:
    """A level as a number: as given, or that of this process's root logger.

    Raises:
        ValueError: There is no level of that name.
    """
    if given is None:
        return logging.getLogger().level
    if isinstance(given, int):
        return given
    number = logging.getLevelNamesMapping().get(given.upper())
    if number is None:
        raise ValueError(f"there is no log level {given!r}")
    return number
