"""The daemon's log: ``daemon.log`` in the home, which never grows beyond 20 MB."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import TextIOWrapper
    from pathlib import Path

_MAX_BYTES = 5_000_000
_OLD_FILES = 3


def open_log(path: Path) -> logging.Handler:
    """Send what treetap and its server say to ``path``; the caller closes the handler."""
    with suppress(FileNotFoundError):
        path.chmod(0o600)
    handler = _PrivateFiles(
        path, maxBytes=_MAX_BYTES, backupCount=_OLD_FILES, encoding="utf-8", delay=True
    )
    handler.addFilter(_is_news)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    if root.level in (logging.NOTSET, logging.WARNING):
        root.setLevel(logging.INFO)
    # One line a request is too many, at the rate at which faces ask.
    for name in ("uvicorn", "mcp", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return handler


def set_level(handler: logging.Handler, name: str) -> None:
    """From now on, have ``handler`` keep what is of this level (``debug`` … ``error``) or above."""
    level = logging.getLevelNamesMapping()[name.upper()]
    handler.setLevel(level)
    root = logging.getLogger()
    if root.level > level:
        root.setLevel(level)


def close_log(handler: logging.Handler) -> None:
    logging.getLogger().removeHandler(handler)
    handler.close()


class _PrivateFiles(RotatingFileHandler):
    """Each of its files is for its owner only, from its first moment."""

    def _open(self) -> TextIOWrapper:
        def opener(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        return open(self.baseFilename, "a", encoding="utf-8", opener=opener)


def _is_news(record: logging.LogRecord) -> bool:
    """Not: a request that was cut off by the end. Its client knows it best."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
