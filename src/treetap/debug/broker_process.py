"""The broker's process: started by the first of a tree that pauses, ended with the tree.

It is started with nothing but the standard library and this package, is nobody's child, stays in
the session of the tree, for it needs its terminal, and is in a process group of its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from treetap.debug import terminal
from treetap.debug.broker import Broker
from treetap.debug.custody import Custody, Record
from treetap.debug.neighbours import Turn
from treetap.debug.place import Place

#: What the keyboard, or the terminal, sends to the foreground group, or to one in the background.
_IGNORED = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGPIPE,
)


def main() -> None:
    """Start the broker at ``DIRECTORY NAME ROOT``, say so on standard output, and leave it."""
    directory, name, root = sys.argv[1:]
    place = Place(directory, name, int(root))
    if os.fork():
        # Our starter reads to the end of the pipe, which the broker closes when it listens.
        os._exit(0)
    os.setpgid(0, 0)
    for ignored in _IGNORED:
        signal.signal(ignored, signal.SIG_IGN)
    fd = terminal.open_terminal()
    if fd is None:
        os._exit(1)
    listener = place.listen()
    os.write(1, b"!")
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 1)
    os.close(null)
    _run(place, fd, listener)


def _run(place: Place, fd: int, listener: Any) -> None:
    record = Record(place.path("held"))
    group = os.getpgid(0)
    turn = Turn(place.directory, os.getsid(0))
    custody = Custody(fd, group, record, turn)
    broker = Broker(listener, custody, record, place.root, group)

    def hang_up(_number: int, _frame: object) -> None:
        broker.hang_up()
        _remove(place)
        os._exit(0)

    signal.signal(signal.SIGHUP, hang_up)
    broker.serve()
    with place.alone():
        _remove(place)


def _remove(place: Place) -> None:
    for kind in ("sock", "held"):
        with contextlib.suppress(OSError):
            Path(place.path(kind)).unlink()
