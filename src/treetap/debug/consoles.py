"""The broker's consoles: one of its own, on its terminal, and those of people who answer from another.

Either is given one end of a channel, and the party the other: what they say to each other doesn't
come by here, so that the broker is never held up by it, and may even die.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from treetap.debug import kinship, message
from treetap.debug.party import OwnConsole, Party

if TYPE_CHECKING:
    from collections.abc import Callable

    from treetap.debug.custody import Custody, NoTerminal

    #: ``start(channel, control, term)``: starts a process with these two sockets; its pid.
    Start = Callable[[socket.socket, socket.socket, str], int]

#: A job that hasn't stopped by then doesn't.
_STOP_S = 1.0


class Consoles:
    """Args:
    selector: Of the broker's loop; what is registered is called.
    custody: Of the terminal.
    start: Starts a console on it.
    ended: Called with its party when a console of ours has ended.
    again: Called with its party when its job was suspended.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        custody: Custody | NoTerminal,
        start: Start,
        *,
        ended: Callable[[Party], None],
        again: Callable[[Party], None],
    ) -> None:
        self._selector = selector
        self._custody = custody
        self._start = start
        self._ended = ended
        self._again = again
        self._own: dict[OwnConsole, Party] = {}

    @property
    def is_any(self) -> bool:
        """Whether one of ours runs."""
        return bool(self._own)

    def open(self, party: Party, waiting: list[str]) -> bool:
        """Read the prompt of ``party`` on the terminal, or go on with it; whether that can be."""
        if isinstance(party.console, OwnConsole):
            party.console.suspended_s = 0.0
            with suppress(OSError):
                party.console.control.send(message.encode(message.RESUME))
            return True
        control, theirs = socket.socketpair()
        mine, far = socket.socketpair()
        try:
            pid = self._start(far, theirs, party.term)
        except OSError:
            control.close()
            return False
        else:
            party.send(message.ANSWERED, fds=[mine.fileno()], waiting=waiting)
        finally:
            for end in (theirs, mine, far):
                end.close()
        control.setblocking(False)
        console = OwnConsole(control, pid)
        self._own[console] = party
        party.console, party.is_asking = console, False
        hear = partial(self._hear, console, party)
        self._selector.register(control, selectors.EVENT_READ, hear)
        return True

    def connect(self, party: Party, answerer: Party) -> None:
        """Let ``answerer`` read the prompt of ``party``."""
        mine, far = socket.socketpair()
        party.send(message.ANSWERED, fds=[mine.fileno()], waiting=[])
        answerer.send(message.ANSWERING, fds=[far.fileno()], label=party.label)
        mine.close()
        far.close()
        party.console, party.is_asking, answerer.answers = answerer, False, party
        party.since_s = time.monotonic()

    def part(self, one: Party) -> None:
        """``one`` answers nobody any more, and nobody else answers it."""
        if one.answers is not None:
            one.answers.console, one.answers = None, None
        if isinstance(one.console, Party):
            one.console.answers, one.console = None, None

    def end(self, party: Party) -> bool:
        """Whether a console of ours is on the terminal for ``party``; it will end and be told of."""
        return isinstance(party.console, OwnConsole)

    def evict(self, party: Party) -> None:
        """End the console of ours on the terminal: that isn't ours any more."""
        if isinstance(party.console, OwnConsole) and party.console.pid > 1:
            with suppress(OSError):
                os.kill(party.console.pid, signal.SIGKILL)

    def may_go_on(self, party: Party) -> bool:
        """Whether the job isn't suspended (any more) at the wish of a console of ours."""
        console = party.console
        if not isinstance(console, OwnConsole) or not console.suspended_s:
            return True
        process = kinship.read_process(console.suspended_group)
        if process is not None and process.state == "T":
            console.was_stopped = True
            return False
        return console.was_stopped or time.monotonic() - console.suspended_s > _STOP_S

    def _hear(self, console: OwnConsole, party: Party) -> None:
        try:
            received = console.control.recv(65536)
            for heard in console.lines.feed(received):
                if heard["is"] == message.SUSPEND:
                    self._suspend(console, party)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            received = b""
        if not received:
            self._selector.unregister(console.control)
            console.control.close()
            del self._own[console]
            party.console = None
            self._ended(party)

    def _suspend(self, console: OwnConsole, party: Party) -> None:
        former = self._custody.former
        if former is None:
            return
        console.suspended_s, console.was_stopped = time.monotonic(), False
        console.suspended_group = former.group
        self._again(party)
        with suppress(OSError):
            os.killpg(former.group, signal.SIGTSTP)
