"""``/api/v2/targets``: processes that are observed through their debug adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from treetap.api.answer import body, json_answer
from treetap.errors import DaemonError

if TYPE_CHECKING:
    from starlette.requests import Request

    from treetap.daemon import Daemon
    from treetap.daemon.target import Target


class NewTarget(msgspec.Struct, forbid_unknown_fields=True):
    """Of ``POST /api/v2/targets``."""

    host: str
    port: int
    name: str
    language: str = "python"
    workspace_root: str = ""
    hostname: str = ""
    pid: int = 0
    is_safe_mode: bool = False


def routes(daemon: Daemon) -> list[Route]:
    api = _Targets(daemon)
    return [
        Route("/api/v2/targets", api.list, methods=["GET"]),
        Route("/api/v2/targets", api.add, methods=["POST"]),
        Route("/api/v2/targets/forget", api.forget, methods=["POST"]),
        Route("/api/v2/targets/{target}", api.show, methods=["GET"]),
        Route("/api/v2/targets/{target}", api.let_go, methods=["DELETE"]),
    ]


class _Targets:
    def __init__(self, daemon: Daemon) -> None:
        self._targets = daemon.targets

    async def list(self, _request: Request) -> Response:
        return json_answer({"targets": [target_view(each) for each in self._targets.all()]})

    async def show(self, request: Request) -> Response:
        return json_answer(target_view(self._targets.get(request.path_params["target"])))

    async def add(self, request: Request) -> Response:
        """One that can't be attached to is there all the same, and says why."""
        asked = _new_target(await body(request))
        target = await self._targets.register(
            asked.host,
            asked.port,
            asked.language,
            asked.name,
            asked.workspace_root,
            asked.hostname,
            pid=asked.pid,
            safe_mode=asked.is_safe_mode,
        )
        return json_answer(target_view(target), 201)

    async def let_go(self, request: Request) -> Response:
        await self._targets.close(request.path_params["target"])
        return Response(status_code=204)

    async def forget(self, _request: Request) -> Response:
        return json_answer({"forgotten": await self._targets.cleanup()})


def target_view(target: Target) -> dict[str, Any]:
    asked, error = target.registration, target.error
    return {
        "id": target.id,
        "name": asked.name,
        "host": asked.host,
        "port": asked.port,
        "language": asked.language,
        "workspace_root": asked.workspace_root,
        "hostname": asked.hostname,
        "is_safe_mode": asked.is_safe_mode,
        "state": target.state.name.lower(),
        "error": None
        if error is None
        else {"slug": error.slug, "what": error.what, "hint": error.hint},
        "attempts": target.attempts,
        "parent": target.parent,
        "tree": target.tree,
        "node": target.node_id,
        "pid": target.pid,
        "created_at": target.created_us / 1e6,
        "connected_at": target.connected_us / 1e6 or None,
        "last_active_at": target.last_active_us / 1e6 or None,
    }


def _new_target(content: bytes) -> NewTarget:
    try:
        return msgspec.json.decode(content, type=NewTarget)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise DaemonError(
            f"The request is of no target: {exc}.",
            'Write {"host": "127.0.0.1", "port": 5678, "name": "shop"}.',
            slug="request-json",
        ) from exc
