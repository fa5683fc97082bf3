"""The state of detrix-py, as its programs see it: a view of the node, which has the only state that counts."""

from __future__ import annotations

import threading
from enum import Enum

from treetap.compat.detrix import _slot
from treetap.config import DEFAULT_DAEMON_URL
from treetap.model.node import SLEEPING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treetap.node.core import Node

#: What ``status`` says.
_SHOWN = (
    "state",
    "name",
    "control_host",
    "control_port",
    "debug_port",
    "debug_port_active",
    "daemon_url",
    "connection_id",
)


class State(Enum):
    """Where a client stands. ``warm`` is of Detrix's documentation."""

    SLEEPING = "sleeping"
    WARM = "warm"
    WAKING = "waking"
    AWAKE = "awake"


def shown() -> dict[str, Any]:
    """What ``status`` answers."""
    node = _slot.present()
    if node is not None:
        found = node.status()
        return {name: found[name] for name in _SHOWN}
    fields = {name: getattr(get_state(), name) for name in _SHOWN}
    return {**fields, "state": SLEEPING}


class ClientState:
    """The fields of detrix-py's client state, each with its default there.

    The one of ``get_state`` says what the node says, once there is one. Of a node's fields
    ``daemon_url`` alone can be set.

    Attributes:
        lock, wake_lock: For ``with``; they hold nobody up but each other's users, since the node needs none.
    """

    def __init__(self, **fields: Any) -> None:
        unknown = fields.keys() - _FIELDS.keys()
        if unknown:
            raise TypeError(f"ClientState has no field {min(unknown)!r}")
        vars(self).update(
            own={**_FIELDS, **fields}, lock=threading.RLock(), wake_lock=threading.Lock()
        )

    def __getattr__(self, name: str) -> Any:
        if name not in _FIELDS:
            raise AttributeError(f"ClientState has no field {name!r}")
        node = _slot.present() if self is get_state() else None
        return vars(self)["own"][name] if node is None else _read(node, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _FIELDS:
            raise AttributeError(f"ClientState has no field {name!r}")
        node = _slot.present() if self is get_state() else None
        if node is None:
            self.own[name] = value
        elif name == "daemon_url":
            node.life.daemon_url = value
        elif _read(node, name) != value:
            raise AttributeError(f"{name!r} is the node's; it can't be set from outside")

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in _FIELDS)
        return f"ClientState({shown})"


def get_state() -> ClientState:
    """The process's client state."""
    return _holder.state


def forget() -> None:
    """End the node, and forget what was set without one."""
    _slot.leave()
    _holder.state = ClientState()


#: Detrix's name for it.
reset_state = forget


def _read(node: Node, name: str) -> Any:
    status = node.status()
    if name == "state":
        return State(status["state"])
    if name in _OTHERS:
        return status[_OTHERS[name]]
    if name in ("daemon_url", "connection_id", "debug_port_active"):
        return status[name]
    if name == "daemon_advertise_url":
        return node.life.advertised_url or None
    if name in ("detrix_home", "http_client"):
        return getattr(node, name, None)
    found = getattr(node.settings, name)
    return None if found == "" and name in ("advertise_host", "ca_bundle") else found


#: ``{field: key of the node's status}``.
_OTHERS = {"actual_control_port": "control_port", "actual_debug_port": "debug_port"}

_FIELDS: dict[str, Any] = {
    "state": State.SLEEPING,
    "name": "",
    "control_host": "127.0.0.1",
    "advertise_host": None,
    "control_port": 0,
    "debug_port": 0,
    "daemon_url": DEFAULT_DAEMON_URL,
    "connection_id": None,
    "actual_control_port": 0,
    "actual_debug_port": 0,
    "debug_port_active": False,
    "detrix_home": None,
    "health_check_timeout": 2.0,
    "register_timeout": 5.0,
    "unregister_timeout": 2.0,
    "daemon_advertise_url": None,
    "verify_ssl": True,
    "ca_bundle": None,
    "http_client": None,
}


class _Holder:
    """What is one a process."""

    def __init__(self) -> None:
        self.state = ClientState()


_holder = _Holder()
