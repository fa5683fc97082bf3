"""``/api/v2/probes``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from treetap.api.answer import json_answer, json_object
from treetap.daemon.view import probe_view

if TYPE_CHECKING:
    from starlette.requests import Request

    from treetap.daemon import Daemon


def routes(daemon: Daemon) -> list[Route]:
    api = _Probes(daemon)
    one = "/api/v2/probes/{probe}"
    return [
        Route("/api/v2/probes", api.list, methods=["GET"]),
        Route("/api/v2/probes", api.add, methods=["POST"]),
        Route(one, api.show, methods=["GET"]),
        Route(one, api.change, methods=["PATCH"]),
        Route(one, api.remove, methods=["DELETE"]),
        Route(f"{one}/enable", api.enable, methods=["POST"]),
        Route(f"{one}/disable", api.disable, methods=["POST"]),
    ]


class _Probes:
    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def list(self, _request: Request) -> Response:
        daemon = self._daemon
        return json_answer(
            {"probes": [probe_view(daemon, record) for record in daemon.registry.all()]}
        )

    async def add(self, request: Request) -> Response:
        record = await self._daemon.registry.add(await json_object(request))
        return json_answer(probe_view(self._daemon, record), 201)

    async def show(self, request: Request) -> Response:
        record = self._daemon.registry.get(request.path_params["probe"])
        return json_answer(probe_view(self._daemon, record))

    async def change(self, request: Request) -> Response:
        fields = await json_object(request)
        record = await self._daemon.registry.change(request.path_params["probe"], fields)
        return json_answer(probe_view(self._daemon, record))

    async def remove(self, request: Request) -> Response:
        await self._daemon.registry.remove(request.path_params["probe"])
        return Response(status_code=204)

    async def enable(self, request: Request) -> Response:
        return await self._set_enabled(request, is_enabled=True)

    async def disable(self, request: Request) -> Response:
        return await self._set_enabled(request, is_enabled=False)

    async def _set_enabled(self, request: Request, *, is_enabled: bool) -> Response:
        record = await self._daemon.registry.set_enabled(
            request.path_params["probe"], is_enabled=is_enabled
        )
        return json_answer(probe_view(self._daemon, record))
