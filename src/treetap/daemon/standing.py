"""The two files that others read instead of asking: ``daemon.json`` and ``standing.json``.

Both are replaced as a whole, so that a reader never sees half of one, and are for their owner only.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec.json

if TYPE_CHECKING:
    from pathlib import Path

DAEMON_FILE = "daemon.json"
STANDING_FILE = "standing.json"


def write_atomically(path: Path, content: dict[str, Any]) -> None:
    """Replace ``path`` by ``content`` as JSON, mode 0600. Raises ``OSError``."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(content))
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def read(path: Path) -> dict[str, Any]:
    """The file's content; empty if it is absent or none of ours."""
    try:
        content = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
