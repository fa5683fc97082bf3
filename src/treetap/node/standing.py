"""What a starting process reads instead of asking: which trees are awake, with which probes.

The daemon writes ``<home>/run/standing.json`` anew with each change.
"""

from __future__ import annotations

import os

from treetap.wire import flatjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treetap.node.core import Node

#: A file of this size takes 20 ms to read; the daemon writes some 500 bytes a probe.
_MAX_BYTES = 2 * 1024 * 1024


def join(node: Node) -> bool:
    """Have ``node`` adopt its tree's probes, if the tree is awake; whether it is.

    A node whose debugger is another one has no probes: it sleeps until it is woken itself.

    Raises:
        ValueError, TypeError: The file is broken.
    """
    if node.settings.debugger != "probes":
        return False
    content = _read(f"{node.settings.run_dir}/standing.json")
    # Most trees sleep: don't read on for them.
    if node.identity.tree.encode() not in content:
        return False
    standing = flatjson.loads(content.decode())
    if not isinstance(standing, dict) or node.identity.tree not in standing.get("awake_trees", ()):
        return False
    link, probes = standing.get("link"), standing.get("probes")
    if not isinstance(probes, list):
        raise TypeError("standing.json holds no list of probes")
    node.life.adopt(
        [each for each in probes if _is_for(node, each)],
        link if isinstance(link, dict) and link else None,
        str(standing.get("url", "")),
    )
    return True


def _is_for(node: Node, fields: Any) -> bool:
    """As ``model.probe.Target.matches``, which costs 4 ms to import."""
    target = fields.get("target") if isinstance(fields, dict) else None
    if not isinstance(target, dict):
        return False
    who = node.identity
    wanted = (target.get("tree", ""), target.get("name", ""), target.get("pid", 0))
    is_meant = all(
        want in (nothing, own)
        for want, nothing, own in zip(
            wanted, ("", "", 0), (who.tree, who.name, who.pid), strict=True
        )
    )
    return is_meant and bool(fields.get("is_enabled", True))


def _read(path: str) -> bytes:
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
        if status.st_size > _MAX_BYTES:
            return b""
        return file.read()
