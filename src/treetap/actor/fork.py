"""How the spawner makes a process: a copy of itself, or a new interpreter.

A copy is made of a process that has one thread and has imported what actors need, so that an actor
is up within milliseconds.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

#: In each actor's environment, and so in that of the programs that it starts: whose they are.
ACTOR_VARIABLE = "TREETAP_ACTOR"
#: ``PID DEPTH NAME`` of an actor: what a prompt there says of it.
NAME_VARIABLE = "TREETAP_ACTOR_NAME"

#: Of each actor: the channel to its parent, and the control socket.
CHANNEL, CONTROL = 3, 4

#: What every actor imports.
_ALWAYS = (
    "treetap.actor.child",
    "treetap.actor.living",
    "treetap.actor.nursery",
    "treetap.node.birth",
)


class Birth:
    """What a forked process is to become.

    Attributes:
        fields: Of the order.
        descriptors: Channel, cwd, stdout, stderr.
        control: Descriptor of its control socket.
        spawner_pid: Its parent.
    """

    __slots__ = ("control", "descriptors", "fields", "spawner_pid")

    def __init__(
        self, fields: dict[str, Any], descriptors: list[int], control: int, spawner_pid: int
    ) -> None:
        self.fields = fields
        self.descriptors = descriptors
        self.control = control
        self.spawner_pid = spawner_pid


class Born(BaseException):
    """Raised in a forked process, to leave the spawner's loop behind."""

    def __init__(self, birth: Birth) -> None:
        super().__init__()
        self.birth = birth


class Forge:
    """Starts processes, and has what they shall find loaded.

    Args:
        begin: The root's first message: ``executable`` and ``flags`` of a new interpreter.
    """

    def __init__(self, begin: dict[str, Any]) -> None:
        self._executable = [str(begin["executable"]), *map(str, begin["flags"])]
        self._is_warm = False

    def warm_up(self) -> None:
        """Import what every actor needs."""
        if self._is_warm:
            return
        self._is_warm = True
        for name in _ALWAYS:
            __import__(name)
        with contextlib.suppress(ImportError):
            import setproctitle  # noqa: F401 - takes 10 ms
        freeze()

    def fork(
        self, fields: dict[str, Any], descriptors: list[int]
    ) -> tuple[int, socket.socket, int]:
        """A process for an order, our end of its control socket, and the inode of its own end.

        Raises:
            OSError: The system has no room for another.
            Born: In the new process.
        """
        if fields["method"] == "warm":
            self.warm_up()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        own_pid = os.getpid()
        try:
            with warnings.catch_warnings():
                # A preloaded library may have threads of its own in C; it has been told of the
                # fork by pthread_atfork, or it couldn't be used with multiprocessing either.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if not pid:
            ours.detach()
            birth = Birth(fields, descriptors, theirs.detach(), own_pid)
            if fields["method"] == "warm":
                raise Born(birth)
            self._execute(birth)
        inode = os.fstat(theirs.fileno()).st_ino
        theirs.close()
        return pid, ours, inode

    def _execute(self, birth: Birth) -> NoReturn:
        """In a forked process: become a new interpreter."""
        try:
            from treetap.actor import child

            child.become(birth, self._executable)
        except BaseException:  # noqa: BLE001 - this must never go on as a second spawner
            import traceback

            traceback.print_exc()
        os._exit(1)


def freeze() -> None:
    """Put what is loaded out of the collector's sight: each copy shares it for as long as nobody
    writes to it, and a collection does.
    """
    gc.collect()
    gc.freeze()
