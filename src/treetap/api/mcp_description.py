"""``/mcp`` in the OpenAPI document: as much of it as that can say, for MCP describes itself."""

from __future__ import annotations

from typing import Any

from treetap.api.json_schema import ANYTHING, SWITCH, TEXT, closed, said
from treetap.api.operation import Operation, operation

_MESSAGE = {
    "type": "object",
    "properties": {
        "jsonrpc": {"type": "string", "enum": ["2.0"]},
        "id": said(ANYTHING, "A number or a text; a notification has none."),
        "method": said(TEXT, "initialize, tools/list, tools/call, …"),
        "params": {"type": "object"},
    },
    "required": ["jsonrpc", "method"],
}
_ANSWER = {"type": "object", "description": "Of JSON-RPC: jsonrpc, id, and result or error."}


def paths() -> dict[str, dict[str, Operation]]:
    client: dict[str, Any] = {"parameters": [_header("X-Detrix-Client-Id", "Which client it is.")]}
    return {
        "/mcp": {
            "post": _message(),
            "delete": operation("A client ends its session", None, status="204", error="Fault"),
        },
        "/mcp/heartbeat": {
            "post": operation("A client is there", closed(status=TEXT), error="Fault", **client)
        },
        "/mcp/disconnect": {
            "post": operation(
                "A client leaves",
                closed(status=TEXT, wasConnected=SWITCH),
                error="Fault",
                **client,
            )
        },
    }


def _message() -> Operation:
    described = operation(
        "One message of the Model Context Protocol", _ANSWER, takes=_MESSAGE, error="Fault"
    )
    answers = described["responses"]
    answers["202"] = {"description": "A notification was taken."}
    # What the protocol itself finds wrong is told in its own shape.
    answers["400"] = {**answers["200"], "description": "It is no message of the protocol."}
    for code in ("404", "406", "415", "501"):
        answers[code] = {"description": "The protocol, or that it isn't installed, says no."}
    return described


def _header(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "schema": TEXT,
        "description": description,
    }
