"""What the tests of this folder supervise, and how they see what is left of it."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
import uuid
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


def python(program: str) -> list[str]:
    """The command of a Python program that writes without buffers."""
    return [sys.executable, "-I", "-S", "-u", "-c", program]


def shell(program: str) -> list[str]:
    return ["/bin/sh", "-c", program]


class Records(logging.Handler):
    """Keeps the records of a logger of its own."""

    def __init__(self, level: int = logging.DEBUG) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.logger = logging.getLogger(f"tests.{uuid.uuid4().hex}")
        self.logger.setLevel(level)
        self.logger.propagate = False
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.records]

    def of(self, tag: str) -> list[str]:
        """The texts of one tag."""
        start = f"[{tag}] "
        return [text.removeprefix(start) for text in self.messages if text.startswith(start)]


async def until(condition: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """Wait for ``condition`` to give something true, and return that."""
    with trio.fail_after(timeout_s):
        while not (outcome := condition()):
            await trio.sleep(0.005)
    return outcome


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie doesn't."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        if os.path.exists("/proc/self/stat"):
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def is_reaped(pid: int) -> bool:
    """Whether a child of ours has gone without leaving a zombie."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def pids_with(marker: str) -> list[int]:
    """Live processes with ``marker`` among their arguments."""
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and int(name) != os.getpid() and is_alive(int(name)):
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    if marker.encode() in file.read():
                        found.append(int(name))
    return found


@contextlib.contextmanager
def at_most(limit_s: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    took_s = time.monotonic() - began
    assert took_s < limit_s, f"{took_s:.1f} s"
