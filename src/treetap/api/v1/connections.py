"""Connections: what is observed. Targets, which others registered, and nodes, which came by themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from treetap.daemon.target import TargetState
from treetap.errors import DaemonError
from treetap.model.probe import Target as ProbeTarget

if TYPE_CHECKING:
    from treetap.daemon import Daemon
    from treetap.daemon.roster import NodeEntry
    from treetap.daemon.target import Target

#: Detrix's database has no others.
_LEAST_PORT = 1024
_MAX_ID_NAME_CHARS = 60


class NewConnection(msgspec.Struct, rename="camel", kw_only=True):
    """``POST /api/v1/connections``. ``workspace_root`` and ``hostname`` may be empty."""

    host: str
    port: int
    language: str
    name: str
    workspace_root: str
    hostname: str
    control_plane_url: str | None = None
    pid: int | None = None
    safe_mode: bool | None = None


class Connection(NamedTuple):
    """One process, as it is at this moment.

    Attributes:
        id: URL-safe.
        host, port: Of its debug adapter; a node that has none has its host's name and 0.
        status: 1 disconnected, 2 connecting, 3 connected, 4 failed.
        created_us, connected_us, last_active_us: Microseconds since the epoch; 0 for never.
        attempts: How many failed since it was connected.
        is_safe_mode: Nothing may be taken that could hold it up.
        node_key: Of its process; 0 if none was seen.
        pid: Of its process; 0 if that isn't known.
        probe_target: Which nodes a metric of this connection is for.
        why: What keeps it from being observed; ``""`` if nothing does.
    """

    id: str
    host: str
    port: int
    language: str
    status: int
    created_us: int
    connected_us: int
    last_active_us: int
    attempts: int
    is_safe_mode: bool
    name: str
    workspace_root: str
    hostname: str
    node_key: int
    pid: int
    probe_target: ProbeTarget
    why: str = ""

    @property
    def is_connected(self) -> bool:
        return self.status == TargetState.CONNECTED

    def to_dict(self) -> dict[str, Any]:
        """``ConnectionInfo``, and who the process is."""
        return {
            "connectionId": self.id,
            "host": self.host,
            "port": self.port,
            "language": self.language,
            "status": int(self.status),
            "createdAt": self.created_us,
            "connectedAt": self.connected_us or None,
            "lastActiveAt": self.last_active_us or None,
            "autoReconnect": True,
            "reconnectAttempts": self.attempts,
            "maxReconnectAttempts": 0,
            "safeMode": self.is_safe_mode,
            "name": self.name,
            "workspaceRoot": self.workspace_root,
            "hostname": self.hostname,
            "pid": self.pid,
            "error": self.why or None,
        }


class Connections:
    """Args:
    daemon: Whose.
    """

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def all(self, *, only_active: bool = False) -> list[Connection]:
        """Newest first; each process once, whichever ways it came."""
        targets = [_of_target(target) for target in self._daemon.targets.all()]
        told = {connection.node_key for connection in targets}
        nodes = [
            _of_node(entry)
            for entry in self._daemon.roster.all()
            # A target's earlier process is not a connection: its next one is the same target's.
            if entry.key not in told and not (entry.link is None and _is_of_target(entry))
        ]
        found = sorted([*targets, *nodes], key=lambda each: each.created_us, reverse=True)
        return [each for each in found if each.is_connected or not only_active]

    def get(self, connection_id: str) -> Connection:
        """Raises ``DaemonError`` (slug ``connection-unknown``)."""
        for connection in self.all():
            if connection.id == connection_id:
                return connection
        raise unknown(f"Connection {connection_id[:200]} not found")

    def of_nodes(self) -> dict[int, str]:
        """The connection's id of each node, by its key."""
        return {each.node_key: each.id for each in self.all() if each.node_key}

    async def open(self, asked: NewConnection) -> Connection:
        """Observe a process through its debug adapter.

        Raises:
            TargetError: A field can't be used (slug ``target-invalid``).
            DapError: Its adapter can't be reached, or is none. It is known all the same, and tried
                again for a while.
        """
        if asked.port < _LEAST_PORT:
            raise DaemonError(
                f"{asked.port} is no port of a debug adapter.",
                f"Give one from {_LEAST_PORT} to 65535.",
                slug="connection-invalid",
            )
        target = await self._daemon.targets.register(
            asked.host,
            asked.port,
            asked.language,
            asked.name,
            asked.workspace_root,
            asked.hostname,
            control_url=asked.control_plane_url or "",
            pid=asked.pid or 0,
            safe_mode=bool(asked.safe_mode),
        )
        if target.state == TargetState.FAILED and target.error is not None:
            raise target.error
        return _of_target(target)

    async def close(self, connection_id: str) -> None:
        """Let a target go, or put a node to sleep; it stays known, as disconnected.

        Raises:
            DaemonError: There is none (slug ``connection-unknown``).
        """
        connection = self.get(connection_id)
        if any(target.id == connection.id for target in self._daemon.targets.all()):
            await self._daemon.targets.close(connection.id)
        entry = self._daemon.roster.get(connection.node_key)
        if entry is not None and entry.link is not None:
            entry.link.send({"type": "sleep"})

    async def clean_up(self) -> int:
        """Forget what is disconnected or failed; how many."""
        before = {connection.id for connection in self.all()}
        await self._daemon.targets.cleanup()
        self._daemon.roster.forget_gone()
        return len(before - {connection.id for connection in self.all()})

    async def sleep(self) -> int:
        """Close all that are connected; how many those were."""
        active = self.all(only_active=True)
        for connection in active:
            await self.close(connection.id)
        return len(active)


def node_connection_id(name: str, key: int) -> str:
    """``NAME-HASH`` of a node that came by itself."""
    safe = re.sub(r"[^A-Za-z0-9._~]+", "-", name)[:_MAX_ID_NAME_CHARS].strip("-.")
    return f"{safe or 'node'}-{key & (2**64 - 1):016x}"


def unknown(what: str) -> DaemonError:
    return DaemonError(what, "See them with: GET /api/v1/connections.", slug="connection-unknown")


def _of_target(target: Target) -> Connection:
    registration = target.registration
    return Connection(
        id=target.id,
        host=registration.host,
        port=registration.port,
        language=registration.language,
        status=target.state,
        created_us=target.created_us,
        connected_us=target.connected_us,
        last_active_us=target.last_active_us,
        attempts=target.attempts,
        is_safe_mode=registration.is_safe_mode,
        name=registration.name,
        workspace_root=registration.workspace_root,
        hostname=registration.hostname,
        node_key=target.node_key,
        pid=target.pid,
        probe_target=target.probe_target,
        why=target.error.what if target.error is not None else "",
    )


def _of_node(entry: NodeEntry) -> Connection:
    node = entry.identity
    return Connection(
        id=node_connection_id(node.name, entry.key),
        host=node.host,
        port=0,
        language="python",
        status=TargetState.DISCONNECTED if entry.link is None else TargetState.CONNECTED,
        created_us=int(entry.connected_at_s * 1e6),
        connected_us=int(entry.connected_at_s * 1e6),
        last_active_us=int(entry.last_seen_at_s * 1e6),
        attempts=0,
        is_safe_mode=False,
        name=node.name,
        workspace_root="",
        hostname=node.host,
        node_key=entry.key,
        pid=node.pid,
        probe_target=ProbeTarget(tree=node.tree, name=node.name, pid=node.pid),
    )


def _is_of_target(entry: NodeEntry) -> bool:
    return entry.identity.tree.startswith("0-")
