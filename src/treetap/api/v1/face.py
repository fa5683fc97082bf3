"""All routes of ``/api/v1``, and those of Detrix's that stand beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treetap.api.v1 import (
    config,
    diff,
    live,
    routes,
    scraping,
    source,
    state,
    system_events,
    usage,
)
from treetap.api.v1.connections import Connections
from treetap.api.v1.metric_editing import MetricEditor
from treetap.api.v1.metrics import Metrics

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from treetap.daemon import Daemon


def all_routes(daemon: Daemon, version: str) -> list[BaseRoute]:
    """Args:
    daemon: What they speak for.
    version: Of treetap.
    """
    connections = Connections(daemon)
    # One for all: it sees to it that no two metrics get one name.
    editor = MetricEditor(daemon, connections, Metrics(daemon, connections))
    return [
        *routes.routes(daemon, connections, editor),
        *state.routes(daemon),
        *scraping.routes(daemon, version),
        *live.routes(daemon),
        *source.routes(daemon),
        *diff.routes(daemon, connections, editor),
        *system_events.routes(daemon),
        *usage.routes(daemon),
        *config.routes(daemon),
    ]
