"""``/api/v1/enable_from_diff``: metrics in place of the prints and log lines that a diff adds."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psutil
from starlette.routing import Route

from treetap.api.answer import json_answer
from treetap.api.v1.fault import fault_body
from treetap.api.v1.metric_request import LineOfFile, NewMetric
from treetap.api.v1.reading import body_as
from treetap.daemon.diffing import Observed, Reading, read_diff
from treetap.daemon.tree import process_start_ns
from treetap.errors import DaemonError, TreetapError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from treetap.api.v1.connections import Connection, Connections
    from treetap.api.v1.metric_editing import MetricEditor
    from treetap.daemon import Daemon

_NO_NAME = re.compile(r"[^A-Za-z0-9]+")
_MAX_NAME_CHARS = 200
_MAX_ROOTS = 20


class Asked(msgspec.Struct, rename="camel"):
    """Of ``POST /api/v1/enable_from_diff``."""

    diff: str
    connection_id: str | None = None
    group: str | None = None
    ttl_seconds: int | None = None
    dry_run: bool = False


def routes(daemon: Daemon, connections: Connections, editor: MetricEditor) -> list[Route]:
    async def enable(request: Request) -> Response:
        """Makes what it can; what it can't says why."""
        asked = await body_as(request, Asked)
        connection = _connection(connections, asked.connection_id)
        reading = await asyncio.to_thread(_read, daemon, connection, asked.diff)
        # All at once: a process may take a second to say what became of each.
        told = await asyncio.gather(
            *(
                _enable(editor, asked, connection, seen, name)
                for seen, name in zip(reading.observed, _names(reading.observed), strict=True)
            )
        )
        statuses = [each["status"] for each in told]
        return json_answer(
            {
                "connectionId": connection.id,
                "dryRun": asked.dry_run,
                "created": statuses.count("created"),
                "skipped": statuses.count("skipped"),
                "failed": statuses.count("failed"),
                "metrics": told,
                "warnings": reading.warnings,
            }
        )

    return [Route("/api/v1/enable_from_diff", enable, methods=["POST"])]


def _read(daemon: Daemon, connection: Connection, diff: str) -> Reading:
    return read_diff(diff, roots_of(daemon, connection))


def roots_of(daemon: Daemon, connection: Connection) -> list[str]:
    """Directories that the paths of a diff may start from.

    A program is often started below its repository, and seldom above it.
    """
    roots = [connection.workspace_root] if connection.workspace_root else []
    entry = daemon.roster.get(connection.node_key)
    # Another machine's process has another's number here.
    if entry is not None and entry.identity.start_ns == process_start_ns(entry.identity.pid) > 0:
        with suppress(psutil.Error):
            roots.append(psutil.Process(entry.identity.pid).cwd())
    return [str(each) for root in roots for each in (Path(root), *Path(root).parents)][:_MAX_ROOTS]


async def _enable(
    editor: MetricEditor, asked: Asked, connection: Connection, seen: Observed, name: str
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "metricId": None,
        "name": name,
        "location": {"file": seen.file, "line": seen.line},
        "expressions": seen.expressions,
        "confidence": seen.confidence,
        "code": seen.code,
        "status": "skipped",
        "error": None,
    }
    if seen.complaint:
        return {**told, "error": seen.complaint}
    if asked.dry_run:
        return {**told, "status": "found"}
    wanted = NewMetric(
        name=name,
        connection_id=connection.id,
        location=LineOfFile(seen.file, seen.line),
        expressions=seen.expressions,
        enabled=True,
        group=asked.group,
        ttl_seconds=asked.ttl_seconds,
    )
    try:
        made = await editor.create(wanted)
    except TreetapError as exc:
        return {**told, "status": "failed", "error": exc.what, "fault": fault_body(exc)}
    return {
        **told,
        "metricId": made["metricId"],
        "name": made["name"],
        "status": made["status"],
        "warnings": made.get("warnings", []),
    }


def _names(found: list[Observed]) -> list[str]:
    """A name of its own for each, the same whenever the diff is sent.

    With its folder, where two files have one name; with a number, where two stand at one line.
    """
    files: dict[str, str] = {}
    taken: set[str] = set()
    given: list[str] = []
    for seen in found:
        name = metric_name_at(seen.file, seen.line)
        if files.setdefault(name, seen.file) != seen.file:
            name = metric_name_at("_".join(Path(seen.file).parts[-2:]), seen.line)
        number, first = 1, name
        while name in taken and not seen.complaint:
            number += 1
            name = f"{first}_{number}"
        if not seen.complaint:
            taken.add(name)
        given.append(name)
    return given


def metric_name_at(file: str, line: int) -> str:
    """``auth_py_42``, of ``auth.py``, line 42."""
    stem = _NO_NAME.sub("_", Path(file).name)[:_MAX_NAME_CHARS].strip("_") or "file"
    return f"{'_' if stem[0].isdigit() else ''}{stem}_{line}"


def _connection(connections: Connections, connection_id: str | None) -> Connection:
    if connection_id:
        return connections.get(connection_id)
    active = connections.all(only_active=True)
    if len(active) == 1:
        return active[0]
    raise DaemonError(
        "No process is connected." if not active else f"{len(active)} processes are connected.",
        "Give a connectionId; GET /api/v1/connections has them.",
        slug="connection-unclear",
    )
