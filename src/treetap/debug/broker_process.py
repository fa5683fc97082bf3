"""The broker's process: started by the first of a tree that pauses, ended with the tree.

It is started with nothing but the standard library and this package, is nobody's child, stays in
the session of the tree, for it needs its terminal, and is in a process group of its own.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from treetap.debug import kinship, terminal
from treetap.debug.broker import Broker
from treetap.debug.custody import NoTerminal
from treetap.debug.neighbours import Turn
from treetap.debug.own_console import serve_alone
from treetap.debug.own_terminal import OwnTerminal
from treetap.debug.place import Place
from treetap.debug.record import Record
from treetap.debug.visit import Visit, open_terminal_of

if TYPE_CHECKING:
    import socket

    from treetap.debug.custody import Custody

#: What the keyboard, or the terminal, sends to the foreground group, or to one in the background; and what
#: asks a tree for a dump, when it is sent to everybody.
_IGNORED = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGPIPE,
    signal.SIGUSR1,
)
#: A broker has a descriptor or two for each who waits.
_MAX_FD = 65536


def main() -> None:
    """Start the broker at ``DIRECTORY NAME ROOT``, say so on standard output, and leave it.

    ``LOCK``, the last argument, is a descriptor that keeps others from doing so meanwhile.
    """
    directory, name, root, lock = sys.argv[1:]
    place = Place(directory, name, int(root))
    if os.fork():
        # Our starter reads to the end of the pipe, which the broker closes when it listens.
        os._exit(0)
    os.setpgid(0, 0)
    for ignored in _IGNORED:
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a console
    _allow_many_parties()
    listener = place.listen()
    os.close(int(lock))
    os.write(1, b"!")
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 1)
    os.close(null)
    _run(place, listener)


def _allow_many_parties() -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = _MAX_FD if limit == resource.RLIM_INFINITY else min(limit, _MAX_FD)
    with contextlib.suppress(OSError, ValueError):  # macOS has a limit that it doesn't tell
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, limit))


def _run(place: Place, listener: socket.socket) -> None:
    record = Record(place.path("held"))
    custody = _custody(place, record)
    start = partial(_start_console, place, custody)
    # As long as we have the terminal open, whoever serves it (script, ssh) waits for an end of it.
    leader = os.getsid(0) if isinstance(custody, OwnTerminal) else place.root
    broker = Broker(listener, custody, record, place.root, leader, os.getpgid(0), start)

    def hang_up(_number: int, _frame: object) -> None:
        broker.hang_up()
        _remove(place)
        os._exit(0)

    signal.signal(signal.SIGHUP, hang_up)
    broker.serve()
    with place.alone():
        _remove(place)


def _custody(place: Place, record: Record) -> Custody | NoTerminal:
    """Of the session's terminal; else of the tree's, which is in another session; else of none."""
    fd = terminal.open_terminal()
    if fd is not None:
        return OwnTerminal(fd, os.getpgid(0), record, Turn(place.directory, os.getsid(0)))
    owner = kinship.terminals_process(place.root)
    fd = open_terminal_of(owner)
    if fd is None:
        return NoTerminal()
    return Visit(fd, owner, record, Turn(place.directory, os.getsid(owner)))


def _start_console(
    place: Place,
    custody: Custody | NoTerminal,
    channel: socket.socket,
    control: socket.socket,
    term: str,
) -> int:
    """Fork one: this process has one thread, and nothing of anybody else's."""
    if isinstance(custody, NoTerminal):
        raise ConnectionError("there is no terminal")
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        _close_all_but(0, 1, 2, custody.fd, channel.fileno(), control.fileno())
        os.environ["TERM"] = term
        serve_alone(place, custody, channel, control)
    finally:
        os._exit(0)


def _close_all_but(*kept: int) -> None:
    """The others' connections: each would seem to be open as long as we live."""
    last = 2
    for fd in sorted({*kept} - {0, 1, 2}):
        os.closerange(last + 1, fd)
        last = fd
    os.closerange(last + 1, _MAX_FD)


def _remove(place: Place) -> None:
    for kind in ("sock", "held", "history"):
        with contextlib.suppress(OSError):
            Path(place.path(kind)).unlink()
