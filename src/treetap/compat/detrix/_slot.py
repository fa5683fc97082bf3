"""The process's node, which is the one that ``treetap.init`` would make: there is one slot a process."""

from __future__ import annotations

import _thread
import os
from pathlib import Path

from treetap import errors
from treetap.compat.detrix import auth
from treetap.compat.detrix._settings import Start
from treetap.compat.detrix.errors import ConfigError, ControlPlaneError, ControlPortError
from treetap.node import api
from treetap.node.core import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Turn:
    """One ``init`` or ``shutdown`` at a time, as there. Held while the control plane's port is bound."""

    def __init__(self) -> None:
        self.lock = _thread.RLock()
        # Another thread may hold it as the process forks, and isn't in the child to let it go.
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self.lock = _thread.RLock()


_turn = _Turn()


class DetrixNode(Node):
    """A node that finds its token where detrix-py does, too.

    Args:
        start: What it starts with.
        parent: As of any node.

    Attributes:
        detrix_home: Where its token file is, if that was said.
    """

    def __init__(self, start: Start, *, parent: str | None = None) -> None:
        super().__init__(start.settings, parent=parent)
        self.detrix_home = start.detrix_home
        self.life.daemon_url = start.daemon_url
        # There the port stays open, and so is the same for ever: for a tunnel, or an editor's settings.
        self.life.keeps_debug_port = True

    def token(self) -> str:
        """Looked for at each use, so that it can be changed while the program runs."""
        if self.settings.token and self.settings.origin("token") != "DETRIX_TOKEN":
            return super().token()
        found, _path = auth.find_token(self._home)
        return super().token() if found is None and not self.settings.token else found or ""

    def warn_of_token(self) -> None:
        """By Python's warnings, as there: in the caller's thread, and not when others ask."""
        auth.discover_auth_token(self._home)

    @property
    def _home(self) -> Path | None:
        return Path(self.detrix_home).expanduser() if self.detrix_home else None


def present() -> Node | None:
    """The node, if there is one."""
    return api.slot.node


def node() -> Node:
    """The node. Who asks before ``init`` gets one with the environment's settings, as there.

    That one is like a start-up hook's: ``init`` takes its place.
    """
    with _turn.lock:
        found = present()
        if found is None:
            found = _opened(DetrixNode(Start({})))
            api.slot.fill(found, is_from_startup=True)
        return found


def enter(given: dict[str, Any]) -> None:
    """``init``.

    Raises:
        ConfigError: A bad value, or a second ``init``.
        ControlPlaneError: The control port can't be bound.
    """
    with _turn.lock:
        if present() is not None and not api.slot.is_from_startup:
            raise ConfigError("Detrix client is already initialized. Call shutdown() first.")
        start = Start(given)
        try:
            api.place(lambda parent: DetrixNode(start, parent=parent))
        except errors.TreetapError as exc:
            raise _translated(exc) from exc


def leave() -> None:
    """``shutdown``; idempotent."""
    with _turn.lock:
        api.shutdown()


def _opened(made: Node) -> Node:
    try:
        made.open()
    except errors.TreetapError as exc:
        raise _translated(exc) from exc
    return made


def _translated(error: errors.TreetapError) -> Exception:
    cause = error.__cause__
    if isinstance(cause, OSError) and isinstance(error, errors.ControlPlaneError):
        return ControlPortError(cause.errno, cause.strerror)
    if isinstance(error, errors.ControlPlaneError):
        return ControlPlaneError(error.line)
    if isinstance(error, errors.DebuggerError):
        from treetap.compat.detrix.errors import DebuggerError

        return DebuggerError(error.line)
    return ConfigError(error.line)
