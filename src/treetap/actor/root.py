"""What the root of a tree has and no other actor: the spawner's process."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from treetap.actor import prompts
from treetap.actor.control import ControlOutbox
from treetap.node.registry import make_directory

if TYPE_CHECKING:
    from treetap.actor.identity import ActorId

#: Of the start-up hook: a node has a thread, and the spawner mustn't have one.
_NOT_FOR_SPAWNER = ("TREETAP_TREE", "TREETAP_PARENT")
_END_TIMEOUT_S = 5.0
#: A socket's address is shorter than a path may be (108 bytes; 104 on macOS).
_DIRECTORY = ("run", "trees")


class SpawnerProcess:
    """The spawner, seen from the root that started it.

    Args:
        me: The root.
        home: Of treetap; ``""`` for a tree that others can't look into.
        tapped: Id of the tapped tree that the actors are of; ``""`` for none.
        max_hold_s: See ``guard``.

    Attributes:
        control: Our end of its control socket.
        alarm: Anything that is written here, by a signal handler, says that a signal has come that
            ends the root.
    """

    def __init__(self, me: ActorId, home: str, tapped: str = "", max_hold_s: float = 0.0) -> None:
        self.control, control = socket.socketpair()
        self.alarm, alarm = socket.socketpair()
        self.alarm.setblocking(False)
        self._path = _socket_path(home, me.tree)
        package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        code = (
            f"import sys; sys.path.insert(0, {package!r}); from treetap.actor.spawner import main; "
            f"main({control.fileno()}, {alarm.fileno()})"
        )
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        environment = {k: v for k, v in os.environ.items() if k not in _NOT_FOR_SPAWNER}
        with control, alarm:
            self.process = subprocess.Popen(
                [sys.executable, *flags, "-c", code],
                stdin=subprocess.DEVNULL,
                # It says nothing, and who waits for the end of our output shan't wait for it.
                stdout=subprocess.DEVNULL,
                env=environment,
                pass_fds=(control.fileno(), alarm.fileno()),
            )
        begin = {
            "op": "begin",
            "uid": me.uid,
            "name": me.name,
            "socket": self._path,
            "home": home,
            "prompts": prompts.name_of(tapped),
            "max_hold_s": max_hold_s,
            "executable": sys.executable,
            "flags": flags,
        }
        first = ControlOutbox(self.control)
        first.put(begin)
        first.flush()

    def end(self, *, is_idle: bool) -> None:
        """See it end; it has been hung up on.

        Args:
            is_idle: Nothing is left below it, so that it needn't be waited for.
        """
        self.alarm.close()
        if is_idle and sys.platform == "linux":
            # It may be in the middle of an import. What it forked for that dies with it.
            self.process.kill()
        try:
            self.process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # The kernel kills what is left together with it.
            self.process.kill()
            self.process.wait()
        if self._path:
            _unlink(self._path)


def _socket_path(home: str, tree: str) -> str:
    if not home:
        return ""
    try:
        return f"{make_directory(home, *_DIRECTORY)}/{tree}.{secrets.token_hex(3)}.sock"
    except OSError:
        return ""


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
