"""Tools for what runs: processes of this machine, and connections through debug adapters."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from treetap.mcp import words
from treetap.mcp.services import Services, part

if TYPE_CHECKING:
    from treetap.daemon.nearby import NearNode
    from treetap.model.node import NodeIdentity


async def list_processes(on: Services, process: words.Process = "") -> dict[str, Any]:
    """The Python processes that can be observed, asleep ones too: name, pid, tree, state, how many metrics are armed."""
    daemon = on.daemon
    nodes = await daemon.nearby.named(process) if process else await daemon.nearby.all()
    found = {}
    for node, status in zip(nodes, await daemon.nearby.statuses(nodes), strict=True):
        found[node.identity.id] = {**_who(node.identity), "state": status["state"]}
    for entry in daemon.roster.connected():
        who = entry.identity
        if not process or process in (who.name, str(who.pid), who.id, who.tree):
            told = found.setdefault(who.id, {**_who(who), "state": entry.state})
            told["metrics"] = len(daemon.tally.of_node(entry.key))
    return {"processes": list(found.values())}


async def wake(on: Services, process: words.Process = "") -> dict[str, Any]:
    """Wake processes: they are linked to the daemon, and their metrics are armed. What they start later wakes by itself."""
    nodes = await on.daemon.nearby.named(process)
    processes = await woken(on, nodes)
    return {**await on.post("/api/v1/wake"), "processes": processes}


async def woken(on: Services, nodes: list[NearNode]) -> list[dict[str, Any]]:
    """Wake nodes and note that their trees are awake; what became of each."""
    for tree in sorted({node.identity.tree for node in nodes}):
        on.daemon.set_tree(tree, awake=True)
    failures = await on.daemon.nearby.wake(nodes, on.daemon.url)
    return _outcomes(nodes, failures, "awake")


async def sleep(on: Services, process: words.Process = "") -> dict[str, Any]:
    """Put processes to sleep: nothing is armed in them and nothing of treetap runs. Metrics are kept for the next wake."""
    everything = await on.daemon.nearby.all()
    nodes = await on.daemon.nearby.named(process)
    told = {} if process else await on.post("/api/v1/sleep")
    named = {node.identity.id for node in nodes}
    left_out = {node.identity.tree for node in everything if node.identity.id not in named}
    # Before the nodes: a child that starts in between must not wake again.
    trees = {node.identity.tree for node in nodes} - left_out
    if not process:
        # Also those that have no process at present, and may start one at any time.
        trees |= set(on.daemon.trees.awake)
    for tree in sorted(trees):
        on.daemon.set_tree(tree, awake=False)
    failures = await on.daemon.nearby.sleep(nodes)
    return {**told, "processes": _outcomes(nodes, failures, "sleeping")}


async def dump_stacks(
    on: Services,
    process: Annotated[str, Field(description="Name, pid, node id or tree id.")],
) -> dict[str, Any]:
    """What each thread and each asyncio or trio task of a process does now. Nothing is stopped; it works asleep, too."""
    dumps = []
    for node in await on.daemon.nearby.named(process):
        dump = await on.daemon.nearby.ask(node, "dump", timeout_s=5.0)
        dumps.append({**_who(node.identity), "dump": dump})
    return {"processes": dumps}


async def create_connection(
    on: Services,
    host: Annotated[str, Field(description="Where the debug adapter listens.")] = "127.0.0.1",
    port: Annotated[int, Field(ge=1, le=65535, description="Its port.")] = 5678,
    language: Annotated[str, Field(description="python, go or rust.")] = "python",
    name: Annotated[str, Field(description="For people. Default: language and port.")] = "",
    workspace_root: Annotated[str, Field(description="Where its sources are.")] = "",
    hostname: Annotated[str, Field(description="Its machine. Default: this one.")] = "",
    program: Annotated[str | None, Field(description="Of a program to launch (rust).")] = None,
    pid: Annotated[int | None, Field(description="Of the process, where it is known.")] = None,
    safe_mode: Annotated[
        bool, Field(description="Refuse metrics that take the stack or all locals.")
    ] = False,
) -> dict[str, Any]:
    """Observe a process that has no treetap, through the debug adapter that it runs (debugpy, delve, lldb-dap)."""
    body = {
        "host": host,
        "port": port,
        "language": language,
        "name": name or f"{language}-{port}",
        "workspaceRoot": workspace_root,
        "hostname": hostname or socket.gethostname(),
        "safeMode": safe_mode,
        **({} if program is None else {"program": program}),
        **({} if pid is None else {"pid": pid}),
    }
    return dict(await on.post("/api/v1/connections", body))


async def close_connection(on: Services, connection_id: words.ConnectionId) -> dict[str, Any]:
    """Let go of a connection; its program goes on as if nothing had been there."""
    await on.delete(f"/api/v1/connections/{part(connection_id)}")
    return {"connectionId": connection_id, "status": "closed"}


async def get_connection(on: Services, connection_id: words.ConnectionId) -> dict[str, Any]:
    """One connection. Its status: 1 disconnected, 2 connecting, 3 connected, 4 failed."""
    return dict(await on.get(f"/api/v1/connections/{part(connection_id)}"))


async def list_connections(
    on: Services,
    active_only: Annotated[bool, Field(description="Those that are connected.")] = False,
    format: words.Format = "json",  # noqa: A002 - the parameter's name
) -> dict[str, Any]:
    """All connections: processes that are linked now, and debug adapters."""
    found = await on.get("/api/v1/connections", activeOnly=active_only or None)
    return {"connections": found}


def _who(identity: NodeIdentity) -> dict[str, Any]:
    return {
        "name": identity.name,
        "pid": identity.pid,
        "tree": identity.tree,
        "parent": identity.parent,
        "python": identity.python,
        "program": identity.program,
    }


def _outcomes(nodes: list[NearNode], failures: list[str], state: str) -> list[dict[str, Any]]:
    return [
        {
            "name": node.identity.name,
            "pid": node.identity.pid,
            **({"error": failure} if failure else {"state": state}),
        }
        for node, failure in zip(nodes, failures, strict=True)
    ]
