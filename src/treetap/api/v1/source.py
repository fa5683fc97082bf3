"""``/api/v1`` ``validate_expression`` and ``inspect_file``: asked before a metric is made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.routing import Route

from treetap.api.answer import json_answer
from treetap.api.v1.metric_request import safety_of
from treetap.api.v1.reading import body_as
from treetap.daemon.checking import check_expression
from treetap.daemon.inspection import inspect_file
from treetap.daemon.language import LANGUAGES

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from treetap.daemon import Daemon
    from treetap.daemon.inspection import Inspection


class Asked(msgspec.Struct, rename="camel"):
    """Of ``POST /api/v1/validate_expression``."""

    expression: str
    language: str
    safety_level: str | None = None


class Looked(msgspec.Struct, rename="camel"):
    """Of ``POST /api/v1/inspect_file``."""

    file_path: str
    line: int | None = None
    find_variable: str | None = None


def routes(_daemon: Daemon) -> list[Route]:
    return [
        Route("/api/v1/validate_expression", _validate, methods=["POST"]),
        Route("/api/v1/inspect_file", _inspect, methods=["POST"]),
    ]


async def _validate(request: Request) -> Response:
    asked = await body_as(request, Asked)
    verdict = await asyncio.to_thread(
        check_expression,
        asked.expression,
        language=asked.language,
        safety=safety_of(asked.safety_level or "strict"),
    )
    return json_answer(
        {
            "isSafe": verdict.is_safe,
            "expression": asked.expression,
            "metadata": None,
            "language": LANGUAGES.get(asked.language.lower(), asked.language),
            "violations": verdict.violations,
            "warnings": verdict.warnings,
        }
    )


async def _inspect(request: Request) -> Response:
    asked = await body_as(request, Looked)
    line = asked.line if asked.line is not None else 0
    # A line of 0 was asked for, and isn't there: not the same as none.
    seen = await asyncio.to_thread(
        inspect_file,
        asked.file_path,
        line=-1 if asked.line == 0 else line,
        name=asked.find_variable or "",
    )
    return json_answer(_shown(seen))


def _shown(seen: Inspection) -> dict[str, Any]:
    """Detrix's three shapes in one: what was asked for is there."""
    shown: dict[str, Any] = {"filePath": seen.path, "language": seen.language}
    if seen.line:
        shown["targetLine"] = seen.line
        shown["codeAtLine"] = seen.lines[seen.line - 1][:500]
        shown["availableVariables"] = seen.available
        if seen.holds_code is not None:
            shown["holdsCode"] = seen.holds_code
        if seen.nearest:
            shown["nearestLines"] = seen.nearest
    if seen.name:
        shown["variableDefinitions"] = [
            {"line": line, "scope": scope, "code": code} for line, scope, code in seen.definitions
        ]
        shown["suggestedLines"] = seen.suggested
        shown["similarVariables"] = seen.similar
    shown["contextLines"] = [
        {"lineNumber": number, "code": code, "isTarget": number == seen.line}
        for number, code in seen.context
    ]
    shown["totalLines"] = len(seen.lines)
    if seen.complaint:
        shown["warnings"] = [seen.complaint]
    return shown
