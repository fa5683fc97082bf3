"""``/api/v2/openapi.json``: every route, what it takes, and what it answers."""

from __future__ import annotations

from typing import Any

from treetap.api.schema import NUMBER, SCHEMAS, SWITCH, TEXT, WHOLE, Schema, array, closed, ref

Operation = dict[str, Any]


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
            "schemas": SCHEMAS,
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
        **_config_paths(),
    }


def _daemon_paths() -> dict[str, dict[str, Operation]]:
    nodes, trees = array(ref("Node")), array(ref("Tree"))
    return {
        "/health": {"get": _operation("Is it alive, and where is its link", ref("Health"))},
        "/api/v2/openapi.json": {"get": _operation("This document", {"type": "object"})},
        "/api/v2/status": {"get": _operation("The daemon itself", ref("Status"))},
        "/api/v2/shutdown": {
            "post": _operation("End the daemon", closed(status=TEXT), status="202")
        },
        "/api/v2/nodes": {
            "get": _operation("Processes, connected now or lately", closed(nodes=nodes))
        },
        "/api/v2/trees": {"get": _operation("The trees", closed(trees=trees))},
        "/api/v2/trees/{tree}": {
            "put": _operation(
                "Note that a tree is awake, or put its nodes to sleep",
                closed(id=TEXT, awake=SWITCH),
                parameters=[_path_parameter("tree", "Its id.")],
                takes=closed(awake=SWITCH),
            )
        },
    }


def _probe_paths() -> dict[str, dict[str, Operation]]:
    probe, new, change = ref("Probe"), ref("NewProbe"), ref("ProbeChange")
    one: dict[str, Any] = {"parameters": [_path_parameter("probe", "Its id or its name.")]}
    none = {"404": "There is no such probe."}
    taken = {"409": "Its name is taken."}
    fixed = {**none, "409": "Its name is taken, or the field can't change."}
    path = "/api/v2/probes/{probe}"
    return {
        "/api/v2/probes": {
            "get": _operation("All probes", closed(probes=array(probe))),
            "post": _operation("Add a probe", probe, status="201", takes=new, errors=taken),
        },
        path: {
            "get": _operation("One probe", probe, errors=none, **one),
            "patch": _operation(
                "Change a probe; a ttl_s counts from now", probe, takes=change, errors=fixed, **one
            ),
            "delete": _operation(
                "Remove a probe; its events are kept", None, status="204", errors=none, **one
            ),
        },
        f"{path}/enable": {"post": _operation("Arm it", probe, errors=none, **one)},
        f"{path}/disable": {"post": _operation("Disarm it", probe, errors=none, **one)},
    }


def _config_paths() -> dict[str, dict[str, Operation]]:
    change, toml = ref("ConfigChange"), closed(toml=TEXT)
    bad = {"400": "It is no TOML, or has what can't be used."}
    partly = {**closed(toml=TEXT, is_kept=SWITCH), "required": ["toml"]}
    return {
        "/api/v2/config": {
            "get": _operation("The daemon's settings, without secrets", ref("Config")),
            "patch": _operation("Change some of them", change, takes=partly),
        },
        "/api/v2/config/check": {
            "post": _operation("Would this be a config.toml", ref("ConfigCheck"), takes=toml)
        },
        "/api/v2/config/reload": {"post": _operation("Read the file again", change, errors=bad)},
    }


def _events() -> Operation:
    more = [
        _query("since", {"oneOf": [NUMBER, TEXT]}, "Seconds or ns since the epoch, or ISO 8601."),
        _query("until", {"oneOf": [NUMBER, TEXT]}, "The first moment that is too late."),
        _query("where", TEXT, "Expression, operator (== != < <= > >= ~), value: order.total<0"),
        _query("limit", {**WHOLE, "minimum": 1, "maximum": 10_000, "default": 100}, "Page size."),
        _query("cursor", TEXT, "next_cursor of the page before."),
        _query("order", {"type": "string", "enum": ["desc", "asc"]}, "Newest first, or oldest."),
    ]
    return _operation(
        "Events that are kept",
        ref("EventPage"),
        parameters=_filters() + more,
        errors={"404": "There never was such a probe."},
    )


def _stream() -> Operation:
    operation = _operation(
        "Events as they happen: hit, loss, probe, node",
        None,
        parameters=_filters(),
        errors={"404": "There is no such probe."},
    )
    operation["responses"]["200"]["content"] = {"text/event-stream": {"schema": TEXT}}
    return operation


def _filters() -> list[dict[str, Any]]:
    return [
        _query("probe", TEXT, "Id or name of a probe."),
        _query("node", TEXT, "Id of a node."),
        _query("tree", TEXT, "Id of a tree."),
        _query("pid", WHOLE, "Process id."),
        _query("name", TEXT, "Name of nodes."),
    ]


def _operation(
    summary: str,
    answer: Schema | None,
    *,
    status: str = "200",
    parameters: list[dict[str, Any]] | None = None,
    takes: Schema | None = None,
    errors: dict[str, str] | None = None,
) -> Operation:
    responses: dict[str, Any] = {status: {"description": summary}}
    if answer is not None:
        responses[status]["content"] = _json(answer)
    told = {
        **({"400": "The request makes no sense."} if takes or parameters else {}),
        "401": "Another user's daemon, and no token.",
        "403": "A web page, or a name that is not the daemon's.",
        **({"408": "The body didn't come."} if takes else {}),
        **({"413": "The body is larger than 1 MiB."} if takes else {}),
        **(errors or {}),
    }
    for code, description in told.items():
        responses[code] = {"description": description, "content": _json(ref("Error"))}
    operation: Operation = {"summary": summary, "responses": responses}
    if parameters:
        operation["parameters"] = parameters
    if takes is not None:
        operation["requestBody"] = {"required": True, "content": _json(takes)}
    return operation


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _query(name: str, schema: Schema, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _path_parameter(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": TEXT,
        "description": description,
    }
