"""The token of detrix-py: where it is looked for, and the header that it is sent in."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from treetap.compat.detrix import config

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["discover_auth_token", "get_auth_headers", "is_localhost"]

_LOCAL = ("localhost", "127.0.0.1", "::1")


def discover_auth_token(detrix_home: Path | None = None) -> str | None:
    """``DETRIX_TOKEN``, or what the token file holds; ``None`` if there is neither.

    Looked for at each use, so that a token can be changed. A variable of nothing but blanks is a token
    all the same, an empty one: no token is sent, whatever the file holds.
    """
    token, path = find_token(detrix_home)
    if path is not None:
        _check_token_file_permissions(path)
    return token


def find_token(detrix_home: Path | None) -> tuple[str | None, Path | None]:
    """The token, and the file that it is from, if it is from one; warns of nothing."""
    given = os.environ.get("DETRIX_TOKEN")
    if given:
        return given.strip(), None
    first = config.get_token_file_path(detrix_home)
    names = (first.name, config.AUTH_TOKEN_FILENAME, config.OLD_TOKEN_FILENAME)
    for path in (first.with_name(name) for name in names):
        try:
            token = path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            continue
        if token:
            return token, path
    return None, None


def get_auth_headers(token: str | None) -> dict[str, str]:
    """The header that carries ``token``, if there is one."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def is_localhost(host: str) -> bool:
    """Whether ``host``, which may have a port, is one of the three usual names of this machine."""
    name = host.lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    return name in _LOCAL


def _check_token_file_permissions(path: Path) -> bool:
    """Warn of a file that others can read; it is used all the same."""
    try:
        mode = path.stat().st_mode & 0o777
    except OSError:
        return False
    if mode & 0o077:
        warnings.warn(
            f"Token file {path} has insecure permissions (mode={mode:#o}). Run: chmod 600 {path}",
            UserWarning,
            stacklevel=3,
        )
    return True
