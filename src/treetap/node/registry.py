"""How a node is found without a daemon: a small file per live process in ``<home>/run/nodes``.

A file is pruned by whoever reads the directory once its process is gone. A recycled pid isn't
mistaken for the old process: the start time is compared. A process that has replaced itself by
another program (exec) is still there, but nobody listens on its port. Files of another machine or pid namespace
(a home shared by containers) are neither shown nor pruned, for we can't see their processes.
"""

from __future__ import annotations

import _socket
import os

from treetap import proc
from treetap.model.node import NodeIdentity
from treetap.node import identity
from treetap.wire import flatjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

#: Loopback answers in microseconds; a full queue doesn't.
_LISTENING_TIMEOUT_S = 0.1


def make_directory(home: str, *parts: str) -> str:
    """``<home>/<parts>``, made where missing; everything below the home is ours alone (0700).

    Raises:
        OSError: It can't be made, or belongs to somebody else.
    """
    os.makedirs(home, mode=0o700, exist_ok=True)
    path = home
    for part in parts:
        path = f"{path}/{part}"
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            status = os.stat(path)
            if status.st_uid != os.geteuid():
                raise PermissionError(f"{path} belongs to user {status.st_uid}") from None
            if status.st_mode & 0o077:
                os.chmod(path, 0o700)
    return path


def write_node(home: str, who: NodeIdentity, control: dict[str, Any]) -> str:
    """Enter a node; returns the file's path.

    Raises:
        OSError: The file can't be written.
    """
    path = f"{make_directory(home, 'run', 'nodes')}/{who.id}.json"
    entry = {**who.to_dict(), "pid_namespace": identity.pid_namespace(), "control": control}
    # Readers must never see half a file.
    draft = f"{path}.{os.getpid()}.new"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, flatjson.dumps(entry).encode())
    finally:
        os.close(descriptor)
    os.replace(draft, path)
    return path


def remove_node(path: str) -> None:
    """Take a node's file away; it may be gone already."""
    try:
        os.unlink(path)
    except OSError:
        pass


class LiveNode:
    """A node whose process lives: its ``identity`` and where its control plane is."""

    __slots__ = ("control_host", "control_port", "identity")

    def __init__(self, identity: NodeIdentity, control_host: str, control_port: int) -> None:
        self.identity = identity
        self.control_host = f"[{control_host}]" if ":" in control_host else control_host
        self.control_port = control_port

    @property
    def control_url(self) -> str:
        """Of the control plane, for callers on this machine."""
        return f"http://{self.control_host}:{self.control_port}"


def live_nodes(home: str) -> list[LiveNode]:
    """All live nodes of this machine, oldest first; prunes the files of dead ones."""
    own_boot, own_namespace = proc.boot_id(), identity.pid_namespace()
    found = []
    for path, entry in _entries(home):
        if entry is None:
            _prune_unreadable(path)
        elif entry.get("boot_id") != own_boot:
            if entry.get("host") == os.uname().nodename:
                remove_node(path)  # of this machine, before it was started anew
        elif entry.get("pid_namespace", "") == own_namespace:
            node = _live_node(entry)
            is_alive = identity.process_start_ns(entry["pid"]) == entry["start_ns"]
            if is_alive and _is_listening(node):
                found.append(node)
            else:
                remove_node(path)
    return sorted(found, key=lambda node: (node.identity.start_ns, node.identity.pid))


def parent_of(home: str, node_id: str) -> str:
    """The parent in a node's file, for a process that replaced itself by exec; ``""`` if none."""
    from treetap.link import nodefile

    entry = nodefile.read(f"{home}/run/nodes/{node_id}.json")
    return identity.sound_id(str(entry.get("parent", ""))) if entry else ""


def _entries(home: str) -> Iterator[tuple[str, dict[str, Any] | None]]:
    from treetap.link import nodefile

    directory = f"{home}/run/nodes"
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        path = f"{directory}/{name}"
        if name.endswith(".json"):
            yield path, nodefile.read(path)
        elif name.endswith(".new"):
            _prune_unreadable(path)


def _live_node(entry: dict[str, Any]) -> LiveNode:
    control = entry["control"]
    return LiveNode(NodeIdentity.from_dict(entry), str(control.get("host")), control["port"])


def _is_listening(node: LiveNode) -> bool:
    """Whether somebody listens on the node's port; a node that is slow to accept counts as such."""
    host = node.control_host.strip("[]")
    try:
        sock = _socket.socket(_socket.AF_INET6 if ":" in host else _socket.AF_INET)
    except OSError:
        return True
    try:
        sock.settimeout(_LISTENING_TIMEOUT_S)
        sock.connect((host, node.control_port))
    except ConnectionRefusedError:
        return False
    except OSError:
        pass
    finally:
        sock.close()
    return True


def _prune_unreadable(path: str) -> None:
    """Remove what isn't an entry, unless somebody may be writing it right now."""
    import time

    try:
        if time.time() - os.stat(path).st_mtime > 60:
            os.unlink(path)
    except OSError:
        pass
