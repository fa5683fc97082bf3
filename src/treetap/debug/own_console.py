"""The console that a broker starts on its own terminal, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treetap.debug import message
from treetap.debug.console import Console
from treetap.debug.editing.history import History
from treetap.debug.terminal import HungUp

if TYPE_CHECKING:
    import socket

    from treetap.debug.custody import Custody
    from treetap.debug.place import Place


def serve_alone(
    place: Place,
    custody: Custody,
    channel: socket.socket,
    control: socket.socket,
) -> None:
    """Read the prompt of the party at the other end of ``channel``, until that is done.

    The broker gives the terminal back when ``control`` closes. If it has died meanwhile, that is done
    here, and nobody else's broker takes the terminal before.
    """
    custody.hold()

    def suspend() -> None:
        custody.let_go()
        control.sendall(message.encode(message.SUSPEND))
        if not control.recv(65536):
            raise HungUp  # it has no broker that could resume it
        custody.hold()

    history = History(place.path("history"))
    try:
        Console(channel, custody.fd, history, suspend=suspend, may_leave=False).run()
    except OSError:
        pass
    finally:
        custody.let_go()
        if _is_broker_dead(control):
            custody.give_back(0)


def _is_broker_dead(control: socket.socket) -> bool:
    control.setblocking(False)
    try:
        return not control.recv(65536)
    except BlockingIOError:
        return False
    except OSError:
        return True
