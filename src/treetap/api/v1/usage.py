"""``/api/v1/mcp/usage``: how agents use the tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from treetap.api.answer import json_answer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from treetap.daemon import Daemon


def routes(daemon: Daemon) -> list[Route]:
    async def usage(_request: Request) -> Response:
        """Since the daemon began."""
        view = daemon.usage.view()
        return json_answer(
            {
                "totalCalls": view["calls"],
                "totalSuccess": view["succeeded"],
                "totalErrors": view["failed"],
                "successRate": view["success_rate"],
                "avgLatencyMs": view["mean_s"] * 1000,
                "topErrors": [{"code": code, "count": count} for code, count in view["errors"]],
                "workflow": {
                    "correctWorkflows": view["correct"],
                    "skippedInspect": view["skipped_inspect"],
                    "noConnection": view["no_connection"],
                    "adherenceRate": view["adherence"],
                },
                "recentCalls": [
                    {
                        "tool": call["tool"],
                        "timestamp": int(call["at_s"] * 1e6),
                        "latencyMs": call["duration_s"] * 1000,
                        "errorCode": call["error"] or None,
                    }
                    for call in view["recent"]
                ],
            }
        )

    return [Route("/api/v1/mcp/usage", usage, methods=["GET"])]
