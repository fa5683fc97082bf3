"""What ``treetap answer`` does: it chooses who waits, and is the console of that one's prompt."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

from treetap.debug import kinship, message, terminal
from treetap.debug.console import DONE, STOPPED, Console
from treetap.debug.editing.history import History
from treetap.debug.piped import PipedConsole
from treetap.debug.place import Place
from treetap.debug.standing import WAITING, Standing
from treetap.errors import PauseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_TIMEOUT_S = 10.0


def choose(found: Iterable[Standing], node: str) -> Standing:
    """The one to answer: of those that are meant, who has waited longest.

    Args:
        found: Who holds and who waits.
        node: Name or pid of the process; ``""`` for any.

    Raises:
        PauseError: Nobody of them waits (slug ``pause-unknown``), or all are answered
            (``pause-taken``).
    """
    meant = [one for one in found if not node or node in (one.name, str(one.pid), one.label)]
    waiting = [one for one in meant if one.state == WAITING]
    if waiting:
        return max(waiting, key=lambda one: one.since_s)
    if meant:
        one = meant[0]
        if not one.by and kinship.is_stopped(one.pid):
            raise PauseError(
                f"{one.label} is at its prompt, and is stopped.",
                "Bring it back with fg in its terminal.",
                slug="pause-stopped",
            )
        raise _taken(one.label, one.by)
    who = f"{node!r} doesn't wait" if node else "nobody waits"
    raise PauseError(
        f"There is no prompt to answer: {who} for one.",
        "treetap answer --list shows who does.",
        slug="pause-unknown",
    )


def serve(home: str, chosen: Standing, label: str, begin: Callable[[], None]) -> str:
    """Be the console of ``chosen`` on this terminal; what became of its prompt, in words.

    Where standard input is no terminal, its lines are what is typed.

    Args:
        home: treetap's.
        chosen: Whose prompt.
        label: Of who answers, for others.
        begin: Called as soon as the prompt is ours.

    Raises:
        PauseError: Somebody else was first (slug ``pause-taken``), or it waits no longer
            (``pause-unknown``).
    """
    place = Place(f"{home}/run/debug", chosen.broker, 0)
    with _connected(place, chosen) as connection:
        channel = _ask_for(connection, chosen, label)
        begin()
        history = History(place.path("history"))
        fd = terminal.open_terminal() if sys.stdin.isatty() else None
        if fd is None:
            if kinship.is_stopped(chosen.pid):
                kinship.wake(chosen.pid)
            outcome = PipedConsole(channel, sys.stdin, sys.stdout).run()
        else:
            # The terminal's modes are put back on the way out.
            signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
            outcome = Console(
                channel, fd, history, suspend=_suspend, may_leave=True, pid=chosen.pid
            ).run()
            os.close(fd)
    if outcome == STOPPED:
        return "is stopped: fg in its terminal brings it back, and it waits again then"
    return "goes on" if outcome == DONE else "waits again"


def _connected(place: Place, chosen: Standing) -> socket.socket:
    try:
        connection = place.try_to_connect(_TIMEOUT_S)
    except OSError:
        connection = None
    if connection is None:
        raise _gone(chosen.label)
    return connection


def _ask_for(connection: socket.socket, chosen: Standing, label: str) -> socket.socket:
    lines = message.Lines()
    try:
        connection.sendall(message.encode(message.ANSWER, id=chosen.id, label=label))
        while True:
            received, fds, _, _ = socket.recv_fds(connection, 65536, 1)
            if not received:
                raise ConnectionError("it has ended")
            for heard in lines.feed(received):
                if heard["is"] == message.ANSWERING and fds:
                    return socket.socket(fileno=fds[0])
                if heard["is"] == message.REFUSED:
                    raise _refused(chosen, heard)
    except OSError as exc:
        raise _gone(chosen.label) from exc


def _refused(chosen: Standing, heard: dict[str, Any]) -> PauseError:
    return _taken(chosen.label, heard["by"]) if heard["why"] == "taken" else _gone(chosen.label)


def _taken(label: str, by: str) -> PauseError:
    return PauseError(
        f"{label} is answered already: {by or 'on the terminal of its tree'}.",
        "One prompt has one who answers it; when that one leaves, it waits again.",
        slug="pause-taken",
    )


def _gone(label: str) -> PauseError:
    return PauseError(
        f"{label} doesn't wait for a prompt any more.",
        "treetap answer --list shows who does.",
        slug="pause-unknown",
    )


def _suspend() -> None:
    """ctrl-z; returns with ``fg``."""
    os.killpg(0, signal.SIGTSTP)
