"""The table of ``docs/detrix.md`` is what the tests declare."""

from __future__ import annotations

import re

from tests.detrix.conformance import (
    BETTER,
    NOT_THERE,
    PAGE,
    SAME,
    SECTIONS,
    Row,
    declared,
    declaring_modules,
    written,
)
from treetap.api.openapi import document

#: What Detrix's daemon answers.
DETRIX = """\
GET /health
GET /status
GET /api/v1/status
GET /metrics
POST /api/v1/wake
POST /api/v1/sleep
GET+POST /api/v1/metrics
GET+PUT+DELETE /api/v1/metrics/{id}
POST /api/v1/metrics/{id}/enable
POST /api/v1/metrics/{id}/disable
GET /api/v1/metrics/{id}/value
GET /api/v1/metrics/{id}/history
GET /api/v1/events
GET /api/v1/groups
GET /api/v1/groups/{name}/metrics
POST /api/v1/groups/{name}/enable
POST /api/v1/groups/{name}/disable
GET+POST /api/v1/connections
GET+DELETE /api/v1/connections/{id}
POST /api/v1/connections/cleanup
GET+PUT /api/v1/config
POST /api/v1/config/reload
POST /api/v1/config/validate
POST /api/v1/validate_expression
POST /api/v1/inspect_file
GET /api/v1/mcp/usage
GET /ws
POST /mcp
POST /mcp/heartbeat
POST /mcp/disconnect"""

CONFORMANCE = [
    Row(
        "gRPC",
        "services of `detrix.v1`",
        NOT_THERE,
        "All of it is in `/api/v1`, `/ws` and `/mcp` as well, but for what Detrix has there only "
        "(`condition`), which `/api/v1` takes here. A second server would be a second thing to guard.",
    ),
]


def test_the_page_has_the_table_of_now():
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "write it anew: python -m tests.detrix.conformance"


def test_each_row_is_held_by_a_test_of_its_file():
    for module in declaring_modules():
        for row in module.CONFORMANCE:
            assert row.section in SECTIONS, row
            assert row.verdict in (SAME, BETTER, NOT_THERE), row
            assert row.why or row.verdict == SAME, row
            assert "|" not in row.what + row.why, row
            if row.verdict != NOT_THERE or row.test:
                assert callable(getattr(module, row.test, None)), row


def test_each_route_of_the_daemon_has_its_row():
    """And each of Detrix's: those of our own are all of Detrix's, and more."""
    told = {route for _, row in declared() for route in routes_of(row.what)}
    there = {
        (method.upper(), without_names(path))
        for path, of in document("1")["paths"].items()
        if not path.startswith("/api/v2/")
        for method in of
    }
    assert told == there
    assert there >= {
        (method, without_names(path))
        for line in DETRIX.splitlines()
        for methods, path in [line.split()]
        for method in methods.split("+")
    }


def routes_of(what: str) -> set[tuple[str, str]]:
    """``"`POST /a/{id}/on`, `/off`"`` is two routes, and so is ``"`GET`, `PUT /a`"``."""
    found: set[tuple[str, str]] = set()
    methods: list[str] = []
    path = ""
    for span in re.findall(r"`([^`]+)`", what):
        verb, _, rest = span.partition(" ")
        if verb in ("GET", "POST", "PUT", "DELETE"):
            methods = [verb] if path else [*methods, verb]
            path = rest
        elif span.startswith("/") and path:
            path = path.rpartition("/")[0] + span
        else:
            return set()
        if path:
            found |= {(method, without_names(path)) for method in methods}
    return found


def without_names(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def test_nothing_is_told_twice():
    told = [(row.section, row.what) for _, row in declared()]
    assert sorted(told) == sorted(set(told))
