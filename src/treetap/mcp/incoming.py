"""A client's message before the SDK has it: what it is, and what an old client left out of it."""

from __future__ import annotations

from typing import Any

import msgspec.json

#: What a client of 2024 may leave out where it introduces itself.
_INTRODUCTION = {
    "protocolVersion": "2024-11-05",
    "capabilities": {},
    "clientInfo": {"name": "client", "version": ""},
}
_MAX_NAME_CHARS = 200
_INVALID_REQUEST = -32600


def read_message(body: bytes) -> Any:
    """The JSON of it; an empty object of what is none, about which the SDK complains."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {"jsonrpc": "2.0", "method": ""}


def introduced(message: dict[str, Any], body: bytes) -> bytes:
    """The body, with what the SDK wants to be told and Detrix doesn't."""
    params = message.get("params") or {}
    if not isinstance(params, dict) or params.keys() >= _INTRODUCTION.keys():
        return body
    return msgspec.json.encode({**message, "params": {**_INTRODUCTION, **params}})


def complaint_about(message: Any) -> dict[str, Any] | None:
    """The answer to what is no request, by JSON-RPC's code: the SDK calls it wrong parameters."""
    if isinstance(message, dict):
        is_call = isinstance(message.get("method"), str)
        is_answer = "result" in message or "error" in message
        if message.get("jsonrpc") == "2.0" and (is_call or is_answer):
            return None
    asked = message.get("id") if isinstance(message, dict) else None
    error = {
        "code": _INVALID_REQUEST,
        "message": 'Invalid request: one object with "jsonrpc": "2.0" and a "method".',
    }
    number = asked if isinstance(asked, str | int) else None
    return {"jsonrpc": "2.0", "id": number, "error": error}


def client_name(fields: Any, key: str, default: str = "client") -> str:
    """What a client calls itself under ``key`` of an introduction, as one word."""
    client = fields.get(key) if isinstance(fields, dict) else None
    name = client.get("name") if isinstance(client, dict) else None
    return printable(name).replace(" ", "-") or default if isinstance(name, str) else default


def printable(text: str) -> str:
    """As much of it as a header, a log and a page can hold."""
    return "".join(c for c in text[:_MAX_NAME_CHARS] if c.isascii() and c.isprintable())
