"""What the start-up hook does in a Python process that starts within a tapped tree.

The process becomes a node, asleep. If its tree is awake, a file that the daemon keeps says which
probes there are: they are armed before user code runs, and nobody is waited for. Whatever goes
wrong here is swallowed: a process must start as if we weren't there.
"""

from __future__ import annotations

import os

from treetap.config.settings import resolve
from treetap.node import identity, registry
from treetap.node.api import slot
from treetap.node.core import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treetap.model.node import NodeIdentity
    from treetap.model.probe import Probe
    from treetap.node.engine import ProbeSetLike

#: A file of this size takes 20 ms to read; the daemon writes some 300 bytes a probe.
_MAX_STANDING_BYTES = 2 * 1024 * 1024


def begin(probe_set_factory: Callable[[Node], ProbeSetLike] | None = None) -> Node | None:
    """Make this process a node of the tree that the environment names.

    Returns:
        The node; ``None`` if there is no tree, or a node already.
    """
    tree = identity.sound_id(os.environ.get(identity.TREE_VARIABLE, ""))
    if not tree or slot.node is not None:
        return None
    # A port that was configured can be one process's only: the root's.
    arguments = {} if tree == identity.own_id() else {"control_port": 0}
    settings = resolve(arguments)
    node = Node(settings, parent=_parent(settings.home), probe_set_factory=probe_set_factory)
    node.open()
    slot.fill(node, is_from_startup=True)
    try:
        _join_standing(node)
    except Exception as exc:  # noqa: BLE001 - the process lives on, asleep
        node.faults.add("joining the tree", exc)
    return node


def _parent(home: str) -> str:
    """The parent's id; that of the program before, if this process replaced itself by exec."""
    parent = identity.sound_id(os.environ.get(identity.PARENT_VARIABLE, ""))
    return registry.parent_of(home, parent) if parent == identity.own_id() else parent


def _join_standing(node: Node) -> None:
    content = _read_standing(f"{node.settings.run_dir}/standing.json")
    # Most trees sleep: don't import json for them.
    if node.identity.tree.encode() not in content:
        return
    import json

    standing = json.loads(content)
    if node.identity.tree not in standing.get("awake_trees", ()):
        return
    link = standing.get("link")
    node.adopt(
        _probes_for(node, standing.get("probes", ())),
        link if isinstance(link, dict) else {},
        str(standing.get("url", "")),
    )


def _probes_for(node: Node, fields: Any) -> list[Probe]:
    from treetap.node.engine import readable_probes

    who: NodeIdentity = node.identity
    return [
        probe
        for probe in readable_probes(fields, node.faults.add)
        if probe.target.matches(tree=who.tree, name=who.name, pid=who.pid)
    ]


def _read_standing(path: str) -> bytes:
    """What the daemon wrote; empty if there is nothing that we may believe.

    Its probes may evaluate expressions, so it must be ours and no one else's to write.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return b""
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return b""
        if status.st_size > _MAX_STANDING_BYTES:
            return b""
        return file.read()
