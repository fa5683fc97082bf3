"""The daemon's log: ``daemon.log`` in the home, which never grows beyond 20 MB."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MAX_BYTES = 5_000_000
_OLD_FILES = 3


def open_log(path: Path) -> logging.Handler:
    """Send what treetap and its server say to ``path``; the caller closes the handler."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    with suppress(OSError):
        path.chmod(0o600)
    handler = RotatingFileHandler(
        path, maxBytes=_MAX_BYTES, backupCount=_OLD_FILES, encoding="utf-8", delay=True
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    if root.level in (logging.NOTSET, logging.WARNING):
        root.setLevel(logging.INFO)
    # One line a request is too many, at the rate at which faces ask.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    return handler


def close_log(handler: logging.Handler) -> None:
    logging.getLogger().removeHandler(handler)
    handler.close()
