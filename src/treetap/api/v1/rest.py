"""What is here beside metrics and connections.

The daemon's state and numbers, the live stream, expressions and files, the journal, the configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from treetap.api.v1 import (
    config,
    diff,
    live,
    scraping,
    source,
    state,
    system_events,
    usage,
)

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from treetap.daemon import Daemon


def routes(daemon: Daemon, version: str) -> list[BaseRoute]:
    return [
        *state.routes(daemon),
        *scraping.routes(daemon, version),
        *live.routes(daemon),
        *source.routes(daemon),
        *diff.routes(daemon),
        *system_events.routes(daemon),
        *usage.routes(daemon),
        *config.routes(daemon),
    ]
