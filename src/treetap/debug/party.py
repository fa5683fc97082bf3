"""Who is connected to a broker, as the broker sees them."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

from treetap.debug import message

if TYPE_CHECKING:
    from collections.abc import Sequence


class Party:
    """One pause of one thread, or somebody who answers one: a connection.

    Attributes:
        pid: Of the process; 0 where nobody tells.
        pidfd: Becomes readable when it ends.
        label: By which people know it.
        id: By which it is told apart, once it has asked for the terminal; 0 before.
        since_s: When it began to wait, or to hold.
        is_pausing: It has asked for the terminal and not released it.
        is_asking: It waits, and whoever wants to may answer it.
        is_distant: It can't have the terminal itself.
        is_stopped: It stops itself until its job is in the foreground.
        is_leaving: It has released the terminal, and its console hasn't left that yet.
        wants_again: What it has asked meanwhile.
        term: Its ``TERM``.
        console: Where its prompt is read, if that isn't its own business.
        answers: Whose prompt this one answers.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.lines = message.Lines()
        self.pid = _peer_pid(connection)
        self.pidfd = pidfd(self.pid)
        self.label = ""
        self.id = 0
        self.since_s = 0.0
        self.is_pausing = False
        self.is_asking = False
        self.is_distant = False
        self.is_stopped = False
        self.is_leaving = False
        self.wants_again: dict[str, Any] | None = None
        self.term = ""
        self.console: Party | OwnConsole | None = None
        self.answers: Party | None = None

    @property
    def answered_by(self) -> str:
        """Who reads its prompt on another terminal; ``""`` if nobody does."""
        return self.console.label if isinstance(self.console, Party) else ""

    def send(self, kind: str, *, fds: Sequence[int] = (), **content: Any) -> None:
        """Tell it; who doesn't read what it waits for is not waited for."""
        with contextlib.suppress(OSError):
            if fds:
                socket.send_fds(self.connection, [message.encode(kind, **content)], list(fds))
            else:
                self.connection.send(message.encode(kind, **content))


class OwnConsole:
    """A console that the broker has started, on the terminal that it keeps.

    Attributes:
        control: Closed when the console has ended.
        pid: Of the console.
        lines: What it says there.
        suspended_s: When its job was suspended; 0.0 while it isn't.
        suspended_group: That job.
        was_stopped: Whether it has been seen stopped since.
    """

    def __init__(self, control: socket.socket, pid: int) -> None:
        self.control = control
        self.pid = pid
        self.lines = message.Lines()
        self.suspended_s = 0.0
        self.suspended_group = 0
        self.was_stopped = False


def pidfd(pid: int) -> int | None:
    """Becomes readable when the process ends; a connection may live on in its children."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _peer_pid(connection: socket.socket) -> int:
    """Of the process at the other end; 0 where the kernel doesn't tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("iii", credentials)[0])
