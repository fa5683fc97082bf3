"""``/health``, and ``/api/v2`` ``nodes``, ``trees``, ``status``, ``shutdown``."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from starlette.routing import Route

from treetap.api.answer import json_answer, json_object
from treetap.daemon.view import node_view, status_view, trees_view
from treetap.errors import DaemonError
from treetap.wire.message import PROTOCOL

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from treetap.daemon import Daemon


def routes(daemon: Daemon, version: str, stop: Callable[[], None]) -> list[Route]:
    api = _Daemon(daemon, version, stop)
    return [
        Route("/health", api.health, methods=["GET"]),
        Route("/api/v2/nodes", api.nodes, methods=["GET"]),
        Route("/api/v2/trees", api.trees, methods=["GET"]),
        Route("/api/v2/trees/{tree}", api.set_tree, methods=["PUT"]),
        Route("/api/v2/status", api.status, methods=["GET"]),
        Route("/api/v2/shutdown", api.shutdown, methods=["POST"]),
    ]


class _Daemon:
    def __init__(self, daemon: Daemon, version: str, stop: Callable[[], None]) -> None:
        self._daemon = daemon
        self._version = version
        self._stop = stop

    async def health(self, _request: Request) -> Response:
        """What Detrix's daemon answers, and our own name beside it."""
        daemon = self._daemon
        return json_answer(
            {
                "service": "detrix",
                "status": "ok",
                "uptimeSeconds": int(time.time() - daemon.started_at_s),
                # A node of ours needs no adapter; what is asked is whether anything is observed.
                "adapterConnected": bool(daemon.roster.connected()),
                "advertiseUrl": None,
                "treetap": {
                    "version": self._version,
                    "protocol": PROTOCOL,
                    "pid": os.getpid(),
                    "link": daemon.link.endpoint,
                },
            }
        )

    async def nodes(self, _request: Request) -> Response:
        daemon = self._daemon
        return json_answer({"nodes": [node_view(daemon, each) for each in daemon.roster.all()]})

    async def trees(self, _request: Request) -> Response:
        return json_answer({"trees": trees_view(self._daemon)})

    async def set_tree(self, request: Request) -> Response:
        awake = (await json_object(request)).get("awake")
        if not isinstance(awake, bool):
            raise DaemonError(
                "The request doesn't say whether the tree is awake.",
                'Write {"awake": true} or {"awake": false}.',
                slug="request-json",
            )
        tree = request.path_params["tree"]
        self._daemon.set_tree(tree, awake=awake)
        return json_answer({"id": tree, "awake": awake})

    async def status(self, _request: Request) -> Response:
        return json_answer(await asyncio.to_thread(status_view, self._daemon, self._version))

    async def shutdown(self, _request: Request) -> Response:
        # After this answer is out.
        asyncio.get_running_loop().call_later(0.05, self._stop)
        return json_answer({"status": "stopping"}, 202)
