"""``/api/v2/openapi.json``: every route, what it takes, and what it answers."""

from __future__ import annotations

from typing import Any

from treetap.api import mcp_description as mcp
from treetap.api.json_schema import NUMBER, SWITCH, TEXT, WHOLE, array, closed, ref, with_optional
from treetap.api.operation import Operation, operation, path_parameter, query
from treetap.api.schema import SCHEMAS
from treetap.api.v1 import daemon_description, description


def document(version: str) -> dict[str, Any]:
    """The whole description, for this version of treetap."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "treetap",
            "version": version,
            "description": "Observe live Python processes. Open to processes of the daemon's "
            "own user on its machine, and to holders of its token.",
        },
        "components": {
            "schemas": {**SCHEMAS, **description.SCHEMAS, **daemon_description.SCHEMAS},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
        "paths": _paths(),
    }


def _paths() -> dict[str, dict[str, Operation]]:
    return {
        **_daemon_paths(),
        **_probe_paths(),
        "/api/v2/events": {"get": _events()},
        "/api/v2/events/stream": {"get": _stream()},
        **_target_paths(),
        **_config_paths(),
        **description.paths(),
        **daemon_description.paths(),
        **mcp.paths(),
    }


def _daemon_paths() -> dict[str, dict[str, Operation]]:
    nodes, trees = array(ref("Node")), array(ref("Tree"))
    return {
        "/health": {"get": operation("Is it alive, and where is its link", ref("Health"))},
        "/api/v2/openapi.json": {"get": operation("This document", {"type": "object"})},
        "/api/v2/status": {"get": operation("The daemon itself", ref("Status"))},
        "/api/v2/shutdown": {
            "post": operation("End the daemon", closed(status=TEXT), status="202")
        },
        "/api/v2/nodes": {
            "get": operation("Processes, connected now or lately", closed(nodes=nodes))
        },
        "/api/v2/trees": {"get": operation("The trees", closed(trees=trees))},
        "/api/v2/trees/{tree}": {
            "put": operation(
                "Note that a tree is awake, or put its nodes to sleep",
                closed(id=TEXT, awake=SWITCH),
                parameters=[path_parameter("tree", "Its id.")],
                takes=closed(awake=SWITCH),
            )
        },
    }


def _probe_paths() -> dict[str, dict[str, Operation]]:
    probe, new, change = ref("Probe"), ref("NewProbe"), ref("ProbeChange")
    one: dict[str, Any] = {"parameters": [path_parameter("probe", "Its id or its name.")]}
    none = {"404": "There is no such probe."}
    taken = {"409": "Its name is taken."}
    fixed = {**none, "409": "Its name is taken, or the field can't change."}
    path = "/api/v2/probes/{probe}"
    return {
        "/api/v2/probes": {
            "get": operation("All probes", closed(probes=array(probe))),
            "post": operation("Add a probe", probe, status="201", takes=new, errors=taken),
        },
        path: {
            "get": operation("One probe", probe, errors=none, **one),
            "patch": operation(
                "Change a probe; a ttl_s counts from now", probe, takes=change, errors=fixed, **one
            ),
            "delete": operation(
                "Remove a probe; its events are kept", None, status="204", errors=none, **one
            ),
        },
        f"{path}/enable": {"post": operation("Arm it", probe, errors=none, **one)},
        f"{path}/disable": {"post": operation("Disarm it", probe, errors=none, **one)},
    }


def _target_paths() -> dict[str, dict[str, Operation]]:
    target = ref("Target")
    one: dict[str, Any] = {
        "parameters": [path_parameter("target", "Its id.")],
        "errors": {"404": "There is no such target."},
    }
    path = "/api/v2/targets"
    return {
        path: {
            "get": operation(
                "Processes that are observed through their debug adapters",
                closed(targets=array(target)),
            ),
            "post": operation(
                "Observe one; it is there, and tried again, also if it can't be attached to now",
                target,
                status="201",
                takes=ref("NewTarget"),
            ),
        },
        f"{path}/{{target}}": {
            "get": operation("One of them", target, **one),
            "delete": operation("Let it go; its program runs on", None, status="204", **one),
        },
        f"{path}/forget": {
            "post": operation("Forget those that are over", closed(forgotten=WHOLE))
        },
    }


def _config_paths() -> dict[str, dict[str, Operation]]:
    change, toml = ref("ConfigChange"), closed(toml=TEXT)
    bad = {"400": "It is no TOML, or has what can't be used."}
    partly = with_optional(closed(toml=TEXT, is_kept=SWITCH), "is_kept")
    return {
        "/api/v2/config": {
            "get": operation("The daemon's settings, without secrets", ref("Config")),
            "patch": operation("Change some of them", change, takes=partly),
        },
        "/api/v2/config/check": {
            "post": operation("Would this be a config.toml", ref("ConfigCheck"), takes=toml)
        },
        "/api/v2/config/reload": {"post": operation("Read the file again", change, errors=bad)},
    }


def _events() -> Operation:
    more = [
        query("since", {"oneOf": [NUMBER, TEXT]}, "Seconds or ns since the epoch, or ISO 8601."),
        query("until", {"oneOf": [NUMBER, TEXT]}, "The first moment that is too late."),
        query("where", TEXT, "Expression, operator (== != < <= > >= ~), value: order.total<0"),
        query("limit", {**WHOLE, "minimum": 1, "maximum": 10_000, "default": 100}, "Page size."),
        query("cursor", TEXT, "next_cursor of the page before."),
        query("order", {"type": "string", "enum": ["desc", "asc"]}, "Newest first, or oldest."),
    ]
    return operation(
        "Events that are kept",
        ref("EventPage"),
        parameters=_filters() + more,
        errors={"404": "There never was such a probe."},
    )


def _stream() -> Operation:
    stream = operation(
        "Events as they happen: hit, loss, probe, node",
        None,
        parameters=_filters(),
        errors={"404": "There is no such probe."},
    )
    stream["responses"]["200"]["content"] = {"text/event-stream": {"schema": TEXT}}
    return stream


def _filters() -> list[dict[str, Any]]:
    return [
        query("probe", TEXT, "Id or name of a probe."),
        query("node", TEXT, "Id of a node."),
        query("tree", TEXT, "Id of a tree."),
        query("pid", WHOLE, "Process id."),
        query("name", TEXT, "Name of nodes."),
    ]
