"""One daemon a home: whoever holds the lock on ``run/daemon.lock``."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Self

from treetap.errors import DaemonError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class HomeLock:
    """Held from entering to leaving; the kernel frees it if the process dies.

    Raises:
        DaemonError: Another process has it (slug ``daemon-running``).
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._run_dir.chmod(0o700)
        path = self._run_dir / "daemon.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 20).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise DaemonError(
                f"A daemon runs already for {self._run_dir.parent}: process {pid or '?'}.",
                "Stop it with: treetap daemon stop.",
                slug="daemon-running",
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The file stays: removing it would let two daemons lock two files of one name.
        os.close(self._descriptor)
