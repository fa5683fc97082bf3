"""What was typed at the prompts of a tree, for its next prompts: a file of the user's alone.

It is the tree's, as the broker's socket is, and goes with the broker.
"""

from __future__ import annotations

import os

#: What is read of it.
_MAX_BYTES = 65536


class History:
    """Args:
    path: Of the file; ``""`` for none: then it is kept in memory.
    """

    def __init__(self, path: str = "") -> None:
        self._path = path
        self._own: list[str] = []

    def lines(self) -> list[str]:
        """Oldest first; what is said twice in a row once."""
        found: list[str] = []
        for line in self._read() or self._own:
            if not found or found[-1] != line:
                found.append(line)
        return found

    def add(self, line: str) -> None:
        if not line.strip():
            return
        self._own.append(line)
        if not self._path:
            return
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self._path, flags, 0o600)
            try:
                os.write(descriptor, f"{line}\n".encode("utf-8", "replace"))
            finally:
                os.close(descriptor)
        except OSError:
            pass  # then the others do without

    def _read(self) -> list[str]:
        if not self._path:
            return []
        try:
            with open(self._path, "rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(size - _MAX_BYTES, 0))
                if size > _MAX_BYTES:
                    file.readline()
                return file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return []
