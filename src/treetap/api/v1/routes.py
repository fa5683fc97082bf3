"""The routes of connections, metrics, groups and events: thin, over their services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from treetap.api.answer import json_answer
from treetap.api.v1.connections import Connections, NewConnection
from treetap.api.v1.groups import Groups
from treetap.api.v1.history import History
from treetap.api.v1.metric_request import MetricChange, NewMetric
from treetap.api.v1.metrics import Metrics
from treetap.api.v1.reading import body_as, moment_ns, number, number_in_path, switch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from treetap.api.v1.metric_editing import MetricEditor
    from treetap.daemon import Daemon

_DEFAULT_LIMIT = 100


def routes(daemon: Daemon, connections: Connections, editor: MetricEditor) -> list[Route]:
    """What is here of ``/api/v1``."""
    metrics = Metrics(daemon, connections)
    groups = Groups(daemon, metrics)
    history = History(daemon, connections, metrics)
    return [
        *_ConnectionRoutes(connections, metrics).routes(),
        *_MetricRoutes(metrics, editor, history).routes(),
        *_GroupRoutes(groups).routes(),
    ]


class _ConnectionRoutes:
    def __init__(self, connections: Connections, metrics: Metrics) -> None:
        self._connections = connections
        self._metrics = metrics

    def routes(self) -> list[Route]:
        all_, one = "/api/v1/connections", "/api/v1/connections/{connection}"
        return [
            Route(all_, self.list, methods=["GET"]),
            Route(all_, self.open, methods=["POST"]),
            Route(f"{all_}/cleanup", self.clean_up, methods=["POST"]),
            Route(one, self.show, methods=["GET"]),
            Route(one, self.close, methods=["DELETE"]),
            Route("/api/v1/wake", self.wake, methods=["POST"]),
            Route("/api/v1/sleep", self.sleep, methods=["POST"]),
        ]

    async def list(self, request: Request) -> Response:
        only_active = switch(request.query_params, "activeOnly") or False
        return json_answer([c.to_dict() for c in self._connections.all(only_active=only_active)])

    async def open(self, request: Request) -> Response:
        connection = await self._connections.open(await body_as(request, NewConnection))
        return json_answer(
            {
                "connectionId": connection.id,
                "status": "created",
                "connection": connection.to_dict(),
                "metadata": None,
            },
            201,
        )

    async def show(self, request: Request) -> Response:
        return json_answer(self._connections.get(request.path_params["connection"]).to_dict())

    async def close(self, request: Request) -> Response:
        await self._connections.close(request.path_params["connection"])
        return Response(status_code=204)

    async def clean_up(self, _request: Request) -> Response:
        return json_answer({"deleted": await self._connections.clean_up()})

    async def wake(self, _request: Request) -> Response:
        """Says what is awake; a process is woken at its own control plane."""
        active = self._connections.all(only_active=True)
        return json_answer(
            {
                "status": "awake" if active else "idle",
                "message": f"{len(active)} active connection(s)",
                "connections": [connection.to_dict() for connection in active],
            }
        )

    async def sleep(self, _request: Request) -> Response:
        enabled = await self._metrics.page(enabled=True, limit=0)
        count = await self._connections.sleep()
        return json_answer(
            {
                "status": "sleeping",
                "metricsSaved": enabled["total"] if count else 0,
                "metadata": None,
                "message": "All adapters stopped",
            }
        )


class _MetricRoutes:
    def __init__(self, metrics: Metrics, editor: MetricEditor, history: History) -> None:
        self._metrics = metrics
        self._editor = editor
        self._history = history

    def routes(self) -> list[Route]:
        all_, one = "/api/v1/metrics", "/api/v1/metrics/{metric}"
        return [
            Route(all_, self.list, methods=["GET"]),
            Route(all_, self.create, methods=["POST"]),
            Route(one, self.show, methods=["GET"]),
            Route(one, self.change, methods=["PUT"]),
            Route(one, self.remove, methods=["DELETE"]),
            Route(f"{one}/enable", self.enable, methods=["POST"]),
            Route(f"{one}/disable", self.disable, methods=["POST"]),
            Route(f"{one}/value", self.value, methods=["GET"]),
            Route(f"{one}/history", self.history, methods=["GET"]),
            Route("/api/v1/events", self.events, methods=["GET"]),
        ]

    async def list(self, request: Request) -> Response:
        query = request.query_params
        page = await self._metrics.page(
            query.get("connectionId", ""),
            switch(query, "enabled"),
            number(query, "limit", _DEFAULT_LIMIT),
            number(query, "offset", 0),
        )
        return json_answer(page)

    async def create(self, request: Request) -> Response:
        return json_answer(await self._editor.create(await body_as(request, NewMetric)), 201)

    async def show(self, request: Request) -> Response:
        record = self._metrics.find(number_in_path(request, "metric"))
        return json_answer(await self._metrics.form(record))

    async def change(self, request: Request) -> Response:
        metric = number_in_path(request, "metric")
        return json_answer(await self._editor.change(metric, await body_as(request, MetricChange)))

    async def remove(self, request: Request) -> Response:
        await self._editor.remove(number_in_path(request, "metric"))
        return Response(status_code=204)

    async def enable(self, request: Request) -> Response:
        return await self._set_enabled(request, is_enabled=True)

    async def disable(self, request: Request) -> Response:
        return await self._set_enabled(request, is_enabled=False)

    async def _set_enabled(self, request: Request, *, is_enabled: bool) -> Response:
        metric = number_in_path(request, "metric")
        return json_answer(await self._editor.set_enabled(metric, is_enabled=is_enabled))

    async def value(self, request: Request) -> Response:
        return json_answer(await self._history.value(number_in_path(request, "metric")))

    async def history(self, request: Request) -> Response:
        metric = number_in_path(request, "metric")
        return json_answer(await self._history.of_metric(metric, **_page(request.query_params)))

    async def events(self, request: Request) -> Response:
        query = request.query_params
        numbers = None
        if query.get("metricId"):
            numbers = self._metrics.numbers_of(number(query, "metricId", 0))
        elif query.get("metricName"):
            numbers = self._metrics.numbers_named(query["metricName"])
        return json_answer(await self._history.events(numbers, **_page(query)))


class _GroupRoutes:
    def __init__(self, groups: Groups) -> None:
        self._groups = groups

    def routes(self) -> list[Route]:
        one = "/api/v1/groups/{group}"
        return [
            Route("/api/v1/groups", self.list, methods=["GET"]),
            Route(f"{one}/metrics", self.metrics, methods=["GET"]),
            Route(f"{one}/enable", self.enable, methods=["POST"]),
            Route(f"{one}/disable", self.disable, methods=["POST"]),
        ]

    async def list(self, _request: Request) -> Response:
        return json_answer(self._groups.all())

    async def metrics(self, request: Request) -> Response:
        return json_answer(await self._groups.metrics(request.path_params["group"]))

    async def enable(self, request: Request) -> Response:
        return await self._set_enabled(request, is_enabled=True)

    async def disable(self, request: Request) -> Response:
        return await self._set_enabled(request, is_enabled=False)

    async def _set_enabled(self, request: Request, *, is_enabled: bool) -> Response:
        group = request.path_params["group"]
        return json_answer(await self._groups.set_enabled(group, is_enabled=is_enabled))


def _page(query: Mapping[str, str]) -> dict[str, Any]:
    return {
        "limit": number(query, "limit", _DEFAULT_LIMIT),
        "offset": number(query, "offset", 0),
        "since_ns": moment_ns(query, "since"),
        "until_ns": moment_ns(query, "until"),
    }
