"""The live nodes of this machine, asleep ones too, which have no link: found by their files, asked at their control planes.

Nodes write the files (``treetap.node.registry``), below the home that they share with the daemon.
Nothing is pruned here: that is theirs.
"""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from treetap import proc
from treetap.daemon import tree
from treetap.errors import ControlPlaneError, LinkError, TreetapError
from treetap.link import http, nodefile
from treetap.model.node import NodeIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

#: A control plane answers in about a millisecond; a process that is stopped never does.
ASK_TIMEOUT_S = 2.0
#: A wake talks to the daemon; a sleep joins a thread and disarms.
ACT_TIMEOUT_S = 10.0
#: So many are asked at once.
_MAX_AT_ONCE = 16


class NearNode(NamedTuple):
    """Attributes:
    identity: Who it is.
    control_url: Of its control plane.
    """

    identity: NodeIdentity
    control_url: str

    @property
    def words(self) -> tuple[str, ...]:
        """What it may be called by."""
        who = self.identity
        return who.name, str(who.pid), who.id, who.tree


class Nearby:
    """Args:
    directory: Where nodes write their files.
    token: Says the daemon's token, for nodes that ask for one.
    """

    def __init__(self, directory: Path, token: Callable[[], str] = str) -> None:
        self._directory = directory
        self._token = token
        self._turns = asyncio.Semaphore(_MAX_AT_ONCE)

    async def all(self) -> list[NearNode]:
        """Oldest first."""
        return await asyncio.to_thread(self._read)

    async def named(self, word: str) -> list[NearNode]:
        """Those with this name, pid, node id or tree id; all for ``""``.

        Raises:
            ControlPlaneError: There is none (slug ``node-unknown``).
        """
        nodes = await self.all()
        chosen = [node for node in nodes if not word or word in node.words]
        if word and not chosen:
            known = ", ".join(sorted({f"{n.identity.name} ({n.identity.pid})" for n in nodes}))
            raise ControlPlaneError(
                f"No live node has the name, pid or tree {word[:200]!r}.",
                f"Live: {known}." if known else "None is live; start one: treetap run -- COMMAND.",
                slug="node-unknown",
            )
        return chosen

    async def statuses(self, nodes: Iterable[NearNode]) -> list[dict[str, Any]]:
        """What each says of itself; ``{"state": "no answer", "error": …}`` of one that doesn't answer."""
        return await asyncio.gather(*(self._status(node) for node in nodes))

    async def wake(self, nodes: Sequence[NearNode], daemon_url: str) -> list[str]:
        """Wake each; why that failed, or an empty text."""
        return await self._act(nodes, "wake", {"daemon_url": daemon_url})

    async def sleep(self, nodes: Sequence[NearNode]) -> list[str]:
        """Put each to sleep; why that failed, or an empty text."""
        return await self._act(nodes, "sleep", {})

    async def ask(
        self,
        node: NearNode,
        route: str,
        body: dict[str, Any] | None = None,
        *,
        timeout_s: float = ASK_TIMEOUT_S,
    ) -> dict[str, Any]:
        """One request to a node's control plane: a POST if there is a body.

        Raises:
            ControlPlaneError: No answer in time (slug ``node-silent``), or a refusal, in the
                node's own words.
        """
        patience = _Patience()
        async with self._turns:
            try:
                return await asyncio.to_thread(
                    self._request, node, route, body, timeout_s, patience.hold
                )
            finally:
                patience.end()

    # -- inside -------------------------------------------------------------------------------

    async def _status(self, node: NearNode) -> dict[str, Any]:
        try:
            return await self.ask(node, "status")
        except TreetapError as exc:
            return {"state": "no answer", "error": exc.what}

    async def _act(self, nodes: Sequence[NearNode], verb: str, body: dict[str, Any]) -> list[str]:
        async def act(node: NearNode) -> str:
            try:
                await self.ask(node, verb, body, timeout_s=ACT_TIMEOUT_S)
            except TreetapError as exc:
                return exc.line
            return ""

        return await asyncio.gather(*map(act, nodes))

    def _request(
        self,
        node: NearNode,
        route: str,
        body: dict[str, Any] | None,
        timeout_s: float,
        on_socket: Callable[[Any], None],
    ) -> dict[str, Any]:
        headers = {"content-type": "application/json"}
        token = self._token()
        if token:
            headers["authorization"] = f"Bearer {token}"
        who = f"{node.identity.name} ({node.identity.pid})"
        try:
            response = http.request(
                f"{node.control_url}/treetap/{route}",
                "GET" if body is None else "POST",
                timeout_s=timeout_s,
                headers=headers,
                body=b"" if body is None else json.dumps(body).encode(),
                on_socket=on_socket,
            )
            answer = json.loads(response.body)
            fields = answer["error"] if response.status >= 400 else answer
        except (LinkError, ValueError, KeyError, TypeError, OSError) as exc:
            raise ControlPlaneError(
                f"{who} doesn't answer: {exc.what if isinstance(exc, LinkError) else exc}",
                "It may be stopped, or just ending; look with: treetap ps.",
                slug="node-silent",
            ) from exc
        if response.status >= 400 or not isinstance(fields, dict):
            told = fields if isinstance(fields, dict) else {"what": str(fields)}
            raise ControlPlaneError(
                f"{who}: {told.get('what', 'refused')}",
                str(told.get("hint", "")),
                slug=str(told.get("slug", "control-plane")),
            )
        return fields

    def _read(self) -> list[NearNode]:
        boot_id = proc.boot_id()
        found = []
        for path in self._directory.glob("*.json"):
            entry = nodefile.read(path)
            if entry is None or entry.get("boot_id", "") != boot_id:
                continue
            identity = NodeIdentity.from_dict(entry)
            if tree.is_alive(identity.id):
                found.append(NearNode(identity, _control_url(entry["control"])))
        return sorted(found, key=lambda node: (node.identity.start_ns, node.identity.pid))


class _Patience:
    """Ends a request in another thread when nobody waits for it any more.

    That thread would wait for a stopped process, and the daemon's end for the thread.
    """

    def __init__(self) -> None:
        self._sockets: list[Any] = []
        self._is_over = False

    def hold(self, sock: Any) -> None:
        """Called in the other thread, with what it will wait for."""
        self._sockets.append(sock)
        # Or this comes first and `end` sees the socket, or `end` was first.
        if self._is_over:
            _shut(sock)

    def end(self) -> None:
        self._is_over = True
        for sock in self._sockets:
            _shut(sock)


def _shut(sock: Any) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _control_url(control: dict[str, Any]) -> str:
    host = str(control.get("host"))
    return (
        f"http://[{host}]:{control['port']}" if ":" in host else f"http://{host}:{control['port']}"
    )
