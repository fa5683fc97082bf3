"""What users call: the functions of ``treetap`` that speak to the process's own node.

There is one slot a process. A node that the start-up hook made is in it already when the program
calls ``init``; the program's own settings then take its place.
"""

from __future__ import annotations

from treetap.config.settings import UNSET, resolve
from treetap.errors import ConfigError, StateError
from treetap.model.node import AWAKE, SLEEPING, WAKING
from treetap.node import standing
from treetap.node.core import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Slot:
    """Holds a process's node. Not locked: ``init`` and ``shutdown`` are the program's own."""

    def __init__(self) -> None:
        self.node: Node | None = None
        self.is_from_startup = False

    def fill(self, node: Node, *, is_from_startup: bool = False) -> None:
        """Put an open node in."""
        self.node, self.is_from_startup = node, is_from_startup

    def empty(self) -> Node | None:
        """Take the node out."""
        node, self.node = self.node, None
        self.is_from_startup = False
        return node


slot = Slot()


def init(
    *,
    name: Any = UNSET,
    control_host: Any = UNSET,
    control_port: Any = UNSET,
    advertise_host: Any = UNSET,
    debug_port: Any = UNSET,
    daemon_url: Any = UNSET,
    token: Any = UNSET,
    home: Any = UNSET,
    health_check_timeout: Any = UNSET,
    register_timeout: Any = UNSET,
    unregister_timeout: Any = UNSET,
    verify_ssl: Any = UNSET,
    ca_bundle: Any = UNSET,
    workspace_root: Any = UNSET,
    start_state: Any = UNSET,
    debugger: Any = UNSET,
    trust_loopback: Any = UNSET,
    redact: Any = UNSET,
    follow_children: Any = UNSET,
    pause_timeout_s: Any = UNSET,
    debug: Any = UNSET,
    max_hold_s: Any = UNSET,
) -> None:
    """Make this process a node: a control plane, asleep. Speaks to nobody.

    Args are the settings; see ``treetap.config.Settings``. What is left out comes from the
    environment, ``config.toml`` or the default. With ``start_state="awake"`` a wake begins in the
    background, and a failure of it is among ``status()["faults"]``. With ``debug=True``
    ``breakpoint()`` opens a prompt on the terminal in every process of the tree, one at a time, and
    SIGUSR1 to any of them has a dump of the whole tree written; ``shutdown`` undoes that here.

    Raises:
        ConfigError: A bad value; or there is a node already (slug ``config-already-initialized``).
        ControlPlaneError: The control port can't be bound.
        DebuggerError: ``start_state="warm"`` with ``debugger="debugpy"``, which isn't installed.
    """
    settings = resolve(dict(locals()))
    place(lambda parent: Node(settings, parent=parent))


def place(make: Callable[[str | None], Node]) -> None:
    """Open a node and put it into the slot, also into that of the start-up hook's node.

    Args:
        make: Makes it; is given its parent's id where that isn't what the environment says.

    Raises:
        ConfigError: There is a node already (slug ``config-already-initialized``).
        ControlPlaneError: The control port can't be bound.
    """
    if slot.node is None:
        node = make(None)
        node.open()
        slot.fill(node)
        return
    if not slot.is_from_startup:
        raise ConfigError(
            "treetap is already initialized in this process.",
            "Call treetap.shutdown() first to begin with other settings.",
            slug="config-already-initialized",
        )
    _replace_startup_node(make)


def status() -> dict[str, Any]:
    """What the node knows of itself; at once, never waiting for I/O. Works before ``init``."""
    if slot.node is not None:
        return slot.node.status()
    settings = resolve()
    return {
        "state": SLEEPING,
        "name": settings.name,
        "control_host": settings.control_host,
        "control_port": 0,
        "debug_port": settings.debug_port,
        "debug_port_active": False,
        "daemon_url": settings.daemon_url,
        "connection_id": None,
    }


def wake(daemon_url: str | None = None) -> dict[str, Any]:
    """Connect to the daemon and arm its probes; ``already_awake`` if that was done before.

    With ``debugger="debugpy"``: open a debug port, and tell the daemon of it; ``debug_port`` has it.

    Args:
        daemon_url: Instead of the configured one; kept for later wakes.

    Raises:
        DaemonError: The daemon can't be reached, or isn't treetap's.
        DebuggerError: The debug port can't be opened.
        LinkError: It refused.
        StateError: There is no node; call ``init`` first (slug ``state-not-initialized``).
    """
    if slot.node is None:
        raise StateError(
            "There is no node to wake in this process.",
            "Call treetap.init() first.",
            slug="state-not-initialized",
        )
    return slot.node.wake(daemon_url)


def sleep() -> dict[str, Any]:
    """Back to nothing: everything disarmed, the daemon left. Idempotent; works before ``init``."""
    if slot.node is None:
        return {"status": "already_sleeping"}
    return slot.node.sleep()


def shutdown() -> None:
    """Sleep, close the control plane, forget the node; what ``init(debug=True)`` set is as it was.

    Idempotent; ``init`` may follow.
    """
    node = slot.empty()
    if node is not None:
        node.shutdown()


def _replace_startup_node(make: Callable[[str | None], Node]) -> None:
    """The program says itself what it is called: its node takes the place of the hook's."""
    old = slot.node
    assert old is not None
    was_awake = old.state in (AWAKE, WAKING)
    node = make(old.identity.parent)
    shutdown()
    node.open()
    slot.fill(node)
    if was_awake and not standing.join(node):
        node.wake_soon()
