"""Tools for the daemon itself: its state and settings, expressions and files, what happened."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from treetap.mcp import words
from treetap.mcp.services import Services

Toml = Annotated[str, Field(description="TOML, whole or in part.")]


async def get_status(on: Services) -> dict[str, Any]:
    """The daemon: uptime, how many metrics, connections and values, what it costs, which agents use it."""
    return dict(await on.get("/api/v1/status"))


async def validate_expression(
    on: Services,
    expression: Annotated[str, Field(description="One expression.")],
    language: Annotated[str, Field(description="python, go or rust.")] = "python",
    safety_level: Annotated[
        Literal["strict", "trusted"] | None,
        Field(description="strict runs no code of the program; trusted takes any expression."),
    ] = None,
) -> dict[str, Any]:
    """Whether an expression may be used in a metric, and if not, why."""
    body = {"expression": expression, "language": language}
    if safety_level is not None:
        body["safetyLevel"] = safety_level
    return dict(await on.post("/api/v1/validate_expression", body))


async def inspect_file(
    on: Services,
    file_path: Annotated[str, Field(description="Absolute, on the daemon's machine.")],
    line: Annotated[int | None, Field(ge=1, description="Show this line.")] = None,
    find_variable: Annotated[str | None, Field(description="Where it is defined.")] = None,
) -> dict[str, Any]:
    """A source file: at a line, the code around it and the variables that can be seen there; or where a variable is defined; or an overview."""
    body = {"filePath": file_path, "line": line, "findVariable": find_variable}
    given = {name: value for name, value in body.items() if value is not None}
    return dict(await on.post("/api/v1/inspect_file", given))


async def query_system_events(
    on: Services,
    since_timestamp: Annotated[int | None, Field(ge=0, description="Unix microseconds.")] = None,
    event_types: Annotated[
        list[str] | None, Field(description="As metric_added, connection_lost, config_updated.")
    ] = None,
    connection_id: Annotated[str | None, Field(description="Of this connection only.")] = None,
    unacknowledged_only: Annotated[bool, Field(description="That nobody knows of yet.")] = False,
    limit: words.Limit = 100,
    format: words.Format = "json",  # noqa: A002 - the parameter's name
) -> dict[str, Any]:
    """What happened to metrics, connections and the daemon itself, newest first. All filters that are given have to match."""
    events = await on.get(
        "/api/v1/system_events",
        since=since_timestamp,
        eventTypes=",".join(event_types) if event_types else None,
        connectionId=connection_id,
        unacknowledgedOnly=unacknowledged_only or None,
        limit=limit,
    )
    return {"events": events}


async def acknowledge_events(
    on: Services,
    event_ids: Annotated[list[int], Field(min_length=1, description="Of query_system_events.")],
) -> dict[str, Any]:
    """Note that somebody knows of these events."""
    return dict(await on.post("/api/v1/system_events/acknowledge", {"eventIds": event_ids}))


async def get_config(on: Services, format: words.Format = "json") -> dict[str, Any]:  # noqa: A002
    """The daemon's configuration as TOML; secrets are left out."""
    return dict(await on.get("/api/v1/config"))


async def update_config(
    on: Services,
    config_toml: Toml,
    persist: Annotated[bool, Field(description="Write it to the configuration's file.")] = False,
) -> dict[str, Any]:
    """Change settings of the daemon; says which of them need a restart."""
    body = {"configToml": config_toml, "persist": persist}
    return dict(await on.put("/api/v1/config", body))


async def validate_config(on: Services, config_toml: Toml) -> dict[str, Any]:
    """Whether this is a configuration that the daemon could use, and if not, why."""
    return dict(await on.post("/api/v1/config/validate", {"configToml": config_toml}))


async def reload_config(on: Services) -> dict[str, Any]:
    """Read the configuration's file again."""
    return dict(await on.post("/api/v1/config/reload", {}))


async def get_mcp_usage(on: Services) -> dict[str, Any]:
    """How agents have used these tools: calls, errors, time, whether they looked before they observed."""
    return dict(await on.get("/api/v1/mcp/usage"))
