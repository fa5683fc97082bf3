"""``/metrics``: what Prometheus collects."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from treetap.api.v1.state import store_numbers

if TYPE_CHECKING:
    from starlette.requests import Request

    from treetap.daemon import Daemon

_EXPOSITION = "treetap.api.v1.exposition"


def routes(daemon: Daemon, version: str) -> list[Route]:
    async def metrics(request: Request) -> Response:
        # Loaded with the first question: most daemons are never asked, and starting is waited for.
        exposition = await asyncio.to_thread(importlib.import_module, _EXPOSITION)
        numbers = exposition.Numbers(daemon, version, await store_numbers(daemon))
        # Thousands of series are some milliseconds of text.
        content, content_type = await asyncio.to_thread(
            numbers.encoded, request.headers.get("accept", "")
        )
        return Response(content, media_type=content_type)

    return [Route("/metrics", metrics, methods=["GET"])]
