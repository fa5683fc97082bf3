"""The live nodes of this machine: found in the runtime directory, asked at their control planes.

All of it works without a daemon.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from treetap.errors import ControlPlaneError, LinkError, TreetapError
from treetap.model.probe import Target
from treetap.node import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from treetap.config.settings import Settings
    from treetap.model.node import NodeIdentity
    from treetap.node.registry import LiveNode

#: A control plane answers in about a millisecond, or late on a machine that is busy; a process that is
#: stopped never does.
ASK_TIMEOUT_S = 2.0
#: A wake talks to the daemon; a sleep joins a thread and disarms.
ACT_TIMEOUT_S = 10.0
_MAX_THREADS = 32
#: In the place of a state.
NO_ANSWER = "no answer"

Answer = TypeVar("Answer")


def live_nodes(settings: Settings) -> list[LiveNode]:
    """All live nodes of this home, oldest first; files of dead processes are pruned."""
    return registry.live_nodes(settings.home)


def targeted(nodes: Iterable[LiveNode], target: Target) -> list[LiveNode]:
    """Those that ``target`` matches."""
    return [
        node
        for node in nodes
        if target.matches(tree=node.identity.tree, name=node.identity.name, pid=node.identity.pid)
    ]


def named(nodes: list[LiveNode], words: list[str]) -> list[LiveNode]:
    """Those whose name, pid, node id or tree is one of ``words``; all if there are no words.

    Raises:
        ControlPlaneError: A word matches no live node (slug ``node-unknown``).
    """
    if not words:
        return nodes
    chosen: dict[str, LiveNode] = {}
    for word in words:
        matching = [node for node in nodes if word in _names(node.identity)]
        if not matching:
            known = ", ".join(sorted({f"{n.identity.name} ({n.identity.pid})" for n in nodes}))
            raise ControlPlaneError(
                f"No live node has the name, pid or tree {word!r}.",
                f"Live: {known}." if known else "None is live; start one: treetap run -- COMMAND.",
                slug="node-unknown",
            )
        chosen |= {node.identity.id: node for node in matching}
    return list(chosen.values())


def _names(identity: NodeIdentity) -> tuple[str, ...]:
    return (identity.name, str(identity.pid), identity.id, identity.tree)


def at_once(act: Callable[[LiveNode], Answer], nodes: list[LiveNode]) -> list[Answer]:
    """``act`` on every node, side by side: one that hangs must not delay the others."""
    if not nodes:
        return []
    with ThreadPoolExecutor(min(len(nodes), _MAX_THREADS)) as pool:
        return list(pool.map(act, nodes))


def states(
    settings: Settings, nodes: list[LiveNode], *, timeout_s: float = ASK_TIMEOUT_S
) -> dict[str, dict[str, Any]]:
    """``{node id: its status}``; one that doesn't answer has the state ``NO_ANSWER``."""

    def ask(node: LiveNode) -> dict[str, Any]:
        try:
            return call(settings, node, "GET", "status", timeout_s=timeout_s)
        except TreetapError as exc:
            return {"state": NO_ANSWER, "error": exc.what}

    answers = at_once(ask, nodes)
    return {node.identity.id: answer for node, answer in zip(nodes, answers, strict=True)}


def wake(settings: Settings, node: LiveNode, daemon_url: str) -> str:
    """Wake ``node``; return why that failed, or an empty text."""
    return _act(settings, node, "wake", {"daemon_url": daemon_url})


def sleep(settings: Settings, node: LiveNode) -> str:
    """Put ``node`` to sleep; return why that failed, or an empty text."""
    return _act(settings, node, "sleep", {})


def _act(settings: Settings, node: LiveNode, verb: str, body: dict[str, Any]) -> str:
    try:
        call(settings, node, "POST", verb, body=body, timeout_s=ACT_TIMEOUT_S)
    except TreetapError as exc:
        return exc.line
    return ""


def call(
    settings: Settings,
    node: LiveNode,
    method: str,
    route: str,
    *,
    timeout_s: float,
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One request to a node's control plane.

    Raises:
        ControlPlaneError: No answer in time, or a refusal, with the node's own words.
    """
    from treetap.link import http

    headers = {"Content-Type": "application/json"}
    if settings.token:
        headers["Authorization"] = f"Bearer {settings.token}"
    try:
        response = http.request(
            f"{node.control_url}/treetap/{route}",
            method,
            timeout_s=timeout_s,
            headers=headers,
            body=b"" if body is None else json.dumps(body).encode(),
        )
        answer: dict[str, Any] = json.loads(response.body)
    except (OSError, ValueError, LinkError) as exc:
        raise ControlPlaneError(
            f"{node.identity.name} ({node.identity.pid}) doesn't answer: {exc.what if isinstance(exc, LinkError) else exc}",
            "It may be stopped, or just ending; look with: treetap ps.",
            slug="node-silent",
        ) from exc
    if response.status >= 400:
        raise _refusal(node, answer)
    return answer


def _refusal(node: LiveNode, answer: dict[str, Any]) -> ControlPlaneError:
    error = answer.get("error")
    fields = error if isinstance(error, dict) else {"what": str(error)}
    return ControlPlaneError(
        f"{node.identity.name} ({node.identity.pid}): {fields.get('what', 'refused')}",
        fields.get("hint", ""),
        slug=fields.get("slug", "control-plane"),
    )
