"""The life of an actor: it serves its parent until one of the two ends."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from treetap.actor import log, runtime, tapping, title
from treetap.actor.ending import on_sigterm
from treetap.actor.identity import ActorId

if TYPE_CHECKING:
    from treetap.actor.runtime import Runtime


def live(fields: dict[str, Any], channel: int, control: int) -> int:
    """Be the actor that an order describes, to its end.

    Args:
        fields: Of ``spawning.Order``.
        channel: Descriptor of the channel to the parent.
        control: Descriptor of the control socket.

    Returns:
        The number of the signal that ended it; 0 for none.
    """
    name = fields["name"]
    title.set_title(name)
    log.configure(name, fields["loglevel"])
    tapping.tap_actor(name)
    if fields["method"] == "fresh":
        for module in fields["preload"]:
            __import__(module)
    return trio.run(_live, fields, socket.socket(fileno=channel), socket.socket(fileno=control))


async def _live(fields: dict[str, Any], channel: socket.socket, control: socket.socket) -> int:
    parent = msgspec.convert(fields["parent"], ActorId)
    me = msgspec.structs.replace(ActorId.here(fields["name"], fields["tree"]), uid=fields["uid"])
    number = 0
    with trio.CancelScope() as scope:

        def end_by_signal() -> None:
            nonlocal number
            number = signal.SIGTERM
            scope.cancel()

        def why_ending() -> str:
            return f"{me} was told to end" + (" by SIGTERM" if number else "")

        here = runtime.Runtime(
            me,
            parent=parent,
            token=fields["token"],
            main_path=fields["main_path"],
            control=control,
            cancel=scope.cancel,
            why_ending=why_ending,
            debug=fields["debug"],
            depth=fields["depth"],
        )
        runtime.enter(here)
        with on_sigterm(end_by_signal):
            trio.lowlevel.spawn_system_task(_serve_control, here)
            peer = here.open_peer(channel, remote=parent)
            here.control.say("up")
            await peer.serve()
    return number


async def _serve_control(here: Runtime) -> None:
    """A system task, which must not raise."""
    await here.control.serve()
