"""What the start-up hook does in a Python process that starts within a tapped tree.

The process becomes a node, asleep. If its tree is awake, a file that the daemon keeps says which
probes there are: they are armed before user code runs, and nobody is waited for. Whatever goes
wrong here is swallowed: a process must start as if we weren't there.
"""

from __future__ import annotations

import os

from treetap.config.settings import resolve
from treetap.node import identity, standing
from treetap.node.api import slot
from treetap.node.core import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treetap.node.engine import ProbeSetLike


def begin(
    probe_set_factory: Callable[[Node], ProbeSetLike] | None = None, *, name: str = ""
) -> Node | None:
    """Make this process a node of the tree that the environment names.

    Args:
        probe_set_factory: Makes the engine when it is first needed; the real one if not given.
        name: Of the node, where the caller knows better than the settings.

    Returns:
        The node; ``None`` if there is no tree, or a node already.
    """
    tree = identity.sound_id(os.environ.get(identity.TREE_VARIABLE, ""))
    if not tree or slot.node is not None:
        return None
    # Ports that were configured can be one process's only: the root's.
    arguments: dict[str, Any] = (
        {} if tree == identity.own_id() else {"control_port": 0, "debug_port": 0}
    )
    if name:
        arguments["name"] = name
    settings = resolve(arguments)
    node = Node(settings, parent=_parent(settings.home), probe_set_factory=probe_set_factory)
    node.open(is_hurried=True)
    slot.fill(node, is_from_startup=True)
    try:
        standing.join(node)
    except Exception as exc:  # noqa: BLE001 - the process lives on, asleep
        node.faults.add("joining the tree", exc)
    if not node.life.is_shipping_soon:
        node.open_control_plane()
    return node


def _parent(home: str) -> str:
    """The parent's id; that of the program before, if this process replaced itself by exec."""
    parent = identity.sound_id(os.environ.get(identity.PARENT_VARIABLE, ""))
    if parent != identity.own_id():
        return parent
    from treetap.node import registry

    return registry.parent_of(home, parent)
