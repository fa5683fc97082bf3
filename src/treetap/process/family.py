"""Who descends from a process: read from ``/proc``, or from ``ps`` where that isn't."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from treetap import proc

if TYPE_CHECKING:
    from collections.abc import Iterable


class Entry(NamedTuple):
    """A live process, or one that was.

    Attributes:
        start: When it started, in ticks since the boot: with the pid it is one process for ever.
            0 where only ``ps`` knows it.
    """

    pid: int
    parent: int
    group: int
    start: int

    @property
    def key(self) -> tuple[int, int]:
        return self.pid, self.start


def processes() -> dict[int, Entry]:
    """All live processes by their pid; zombies aren't alive. None, if they can't be looked at."""
    if not Path("/proc/self/stat").exists():
        return _processes_of_ps()
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - a Path each would double the time
    except OSError:
        return {}  # too many open files: the program itself is ended all the same
    found = {}
    for name in names:
        if name.isdigit() and (entry := entry_of(int(name))) is not None:
            found[entry.pid] = entry
    return found


def entry_of(pid: int) -> Entry | None:
    """One live process, from ``/proc``; ``None`` if there is no such."""
    fields = proc.stat(pid)
    if proc.is_over(fields):
        return None
    parent, group = int(fields[proc.PARENT]), int(fields[proc.GROUP])
    return Entry(pid, parent, group, int(fields[proc.START_TICKS]))


def _processes_of_ps() -> dict[int, Entry]:
    command = ["ps", "-A", "-o", "pid=,ppid=,pgid=,stat="]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return {}  # there is none
    return parse_ps(done.stdout)


def parse_ps(text: str) -> dict[int, Entry]:
    found = {}
    for line in text.splitlines():
        pid, parent, group, state, *_ = line.split()
        if not state.startswith("Z"):
            found[int(pid)] = Entry(int(pid), int(parent), int(group), 0)
    return found


def descendants(pids: Iterable[int], among: dict[int, Entry]) -> list[Entry]:
    """Everybody who descends from ``pids``, without these themselves."""
    children: dict[int, list[Entry]] = {}
    for entry in among.values():
        children.setdefault(entry.parent, []).append(entry)
    found: list[Entry] = []
    seen = set(pids)
    open_ends = list(seen)
    while open_ends:
        for entry in children.get(open_ends.pop(), ()):
            if entry.pid not in seen:
                seen.add(entry.pid)
                found.append(entry)
                open_ends.append(entry.pid)
    return found


def send(entry: Entry, number: int) -> None:
    """Send a signal to this very process, and to none that got its pid since.

    Raises:
        PermissionError: It belongs to somebody else.
    """
    try:
        handle = _handle_of(entry)
        if handle is None:
            now = entry_of(entry.pid)
            if not entry.start or now is None or now.start == entry.start:
                os.kill(entry.pid, number)
            return
        try:
            # Held by the handle, it can't become another one after this look.
            now = entry_of(entry.pid)
            if now is not None and now.start == entry.start:
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)
    except ProcessLookupError:
        return  # it has gone


def _handle_of(entry: Entry) -> int | None:
    """A descriptor of the process with this pid; ``None`` where that isn't to be had.

    Raises:
        ProcessLookupError: There is none.
    """
    if not entry.start or not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(entry.pid)
    except ProcessLookupError:
        raise
    except OSError:
        return None  # an old kernel, a sandbox that forbids it, or too many open files
