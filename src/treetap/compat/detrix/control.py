"""The control plane, by detrix-py's names. It is the node's: ``start`` makes one if there is none."""

from __future__ import annotations

from treetap.compat.detrix import _slot, _state
from treetap.link.http import MAX_BODY_BYTES
from treetap.node.files import MAX_FILE_BYTES

__all__ = [
    "MAX_BODY_SIZE",
    "MAX_FILE_SIZE",
    "ControlServer",
    "start_control_server",
    "stop_control_server",
]

MAX_BODY_SIZE = MAX_BODY_BYTES
MAX_FILE_SIZE = MAX_FILE_BYTES


def start_control_server(host: str, port: int) -> int:
    """Have a control plane; its port. If there is one already: that one's.

    Args:
        host: Address to bind.
        port: 0 for any free one.

    Raises:
        ControlPlaneError: It can't be bound.
    """
    if _slot.present() is None:
        state = _state.get_state()
        given = {name: getattr(state, name) for name in ("name", "daemon_url", "debug_port")}
        _slot.enter({**given, "control_host": host, "control_port": port})
    return int(_state.shown()["control_port"])


def stop_control_server() -> None:
    """Close it, and with it the node; idempotent."""
    _slot.leave()


class ControlServer:
    """The same, as an object.

    Args:
        host: Address to bind.
        port: 0 for any free one.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    def start(self) -> int:
        """Have it; its port."""
        self.port = start_control_server(self.host, self.port)
        return self.port

    def stop(self, timeout: float = 2.0) -> None:
        """Close it. It waits for no caller, whatever ``timeout`` says."""
        stop_control_server()
