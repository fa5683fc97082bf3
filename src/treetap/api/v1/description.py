"""``/api/v1`` in the OpenAPI document: its shapes and its operations."""

from __future__ import annotations

from typing import Any

import msgspec.json

from treetap.api.json_schema import (
    ANYTHING,
    NULL,
    SWITCH,
    TEXT,
    WHOLE,
    Schema,
    array,
    closed,
    nullable,
    optional,
    ref,
    said,
    with_optional,
)
from treetap.api.operation import Operation, operation, path_parameter, query
from treetap.api.v1.connections import NewConnection
from treetap.api.v1.metric_request import MetricChange, NewMetric

MOMENT = said(WHOLE, "Microseconds since the epoch.")
METADATA: Schema = said(NULL, "Always null.")
_OBJECT: Schema = {"type": "object"}


def bodies(*kinds: type) -> dict[str, Schema]:
    """The schemas of request bodies, by name."""
    template = "#/components/schemas/{name}"
    _, components = msgspec.json.schema_components(kinds, ref_template=template)
    return components


_PLACE = closed(file=TEXT, line=said(WHOLE, "0 where it isn't known."))
_METRIC: dict[str, Schema] = {
    "metricId": WHOLE,
    "probeId": said(TEXT, "Of the probe that it is."),
    "name": TEXT,
    "group": nullable(TEXT),
    "location": _PLACE,
    "expressions": array(TEXT),
    "language": TEXT,
    "enabled": SWITCH,
    "mode": said(closed(mode=_OBJECT), 'As {"mode": {"sample": {"rate": 10}}}.'),
    "createdAt": MOMENT,
    "hitCount": said(WHOLE, "How often its line was reached since the daemon started."),
    "lastHitAt": nullable(MOMENT),
    "connectionId": said(TEXT, "Empty for a probe of every process."),
    "captureStackTrace": SWITCH,
    "captureMemorySnapshot": SWITCH,
    "condition": nullable(TEXT),
    "safetyLevel": TEXT,
    "maxHits": nullable(WHOLE),
    "expiresAt": nullable(MOMENT),
    "recordedCount": WHOLE,
    "lostCount": WHOLE,
    "state": said(TEXT, "A probe's state; or disabled, nowhere."),
    "stateReason": nullable(TEXT),
}
_VALUE = with_optional(
    closed(
        expression=TEXT,
        valueJson=said(TEXT, "The value, as JSON."),
        typedValue=optional(_OBJECT),
        isWhole=said(SWITCH, "False where something was cut off; else absent."),
    ),
    "isWhole",
)
_FRAME = closed(index=WHOLE, name=TEXT, file=TEXT, line=WHOLE, module=NULL)
_ERROR = closed(error=SWITCH, errorCode=TEXT, errorType=TEXT, errorMessage=TEXT, traceback=NULL)
_EVENT = closed(
    metricId=WHOLE,
    metricName=TEXT,
    location=_PLACE,
    timestamp=MOMENT,
    threadName=NULL,
    threadId=NULL,
    requestId=NULL,
    sessionId=NULL,
    values=array(_VALUE),
    error=optional(_ERROR),
    connectionId=TEXT,
    stackTrace=optional(closed(frames=array(_FRAME))),
    memorySnapshot=optional(
        closed(locals=array(closed(name=TEXT, value=TEXT, type=TEXT)), globals=array(_OBJECT))
    ),
)

SCHEMAS: dict[str, Schema] = {
    "Fault": closed(
        error=TEXT,
        errorCode=WHOLE,
        errorType=TEXT,
        category={"type": "string", "enum": ["terminal", "retryable", "security", "internal"]},
        retryable=SWITCH,
        slug=TEXT,
        hint=TEXT,
    ),
    "ConnectionInfo": closed(
        connectionId=TEXT,
        host=TEXT,
        port=said(WHOLE, "Of its debug adapter; 0 for a node, which has none."),
        language=TEXT,
        status=said(WHOLE, "1 disconnected, 2 connecting, 3 connected, 4 failed."),
        createdAt=MOMENT,
        connectedAt=nullable(MOMENT),
        lastActiveAt=nullable(MOMENT),
        autoReconnect=SWITCH,
        reconnectAttempts=WHOLE,
        maxReconnectAttempts=WHOLE,
        safeMode=SWITCH,
        name=TEXT,
        workspaceRoot=TEXT,
        hostname=TEXT,
        pid=WHOLE,
        error=nullable(TEXT),
    ),
    "MetricInfo": closed(**_METRIC),
    "MetricEvent": _EVENT,
    **bodies(NewConnection, NewMetric, MetricChange),
}


def paths() -> dict[str, dict[str, Operation]]:
    return {**_connection_paths(), **_metric_paths(), **_event_paths(), **_group_paths()}


def v1_operation(summary: str, answer: Schema | None, **rest: Any) -> Operation:
    """As ``operation``, with Detrix's errors."""
    errors = dict(rest.pop("errors", None) or {})
    if rest.get("takes") is not None:
        errors["415"] = "The body isn't declared as JSON."
        errors["422"] = "A field is missing, or of another type."
    return operation(summary, answer, errors=errors, error="Fault", **rest)


def _connection_paths() -> dict[str, dict[str, Operation]]:
    connection = ref("ConnectionInfo")
    one: dict[str, Any] = {
        "parameters": [path_parameter("connection", "Its id.")],
        "errors": {"404": "There is no such connection."},
    }
    path = "/api/v1/connections"
    opened = closed(connectionId=TEXT, status=TEXT, connection=connection, metadata=METADATA)
    return {
        path: {
            "get": v1_operation(
                "Processes that are observed",
                array(connection),
                parameters=[query("activeOnly", SWITCH, "Only those that are connected.")],
            ),
            "post": v1_operation(
                "Observe a process through its debug adapter",
                opened,
                status="201",
                takes=ref("NewConnection"),
                errors={"502": "Its adapter can't be reached, or is none."},
            ),
        },
        f"{path}/{{connection}}": {
            "get": v1_operation("One of them", connection, **one),
            "delete": v1_operation("Let it go, or put it to sleep", None, status="204", **one),
        },
        f"{path}/cleanup": {
            "post": v1_operation("Forget those that are over", closed(deleted=WHOLE))
        },
        "/api/v1/wake": {
            "post": v1_operation(
                "What is awake",
                closed(status=TEXT, message=TEXT, connections=array(connection)),
            )
        },
        "/api/v1/sleep": {
            "post": v1_operation(
                "Let all go, and put all to sleep",
                closed(status=TEXT, metricsSaved=WHOLE, metadata=METADATA, message=TEXT),
            )
        },
    }


def _metric_paths() -> dict[str, dict[str, Operation]]:
    metric = ref("MetricInfo")
    one = _one_metric()
    taken = {"404": "There is no such metric, or connection.", "409": "Its name is taken."}
    created = with_optional(
        closed(metricId=WHOLE, name=TEXT, status=TEXT, metric=metric, warnings=array(TEXT)),
        "warnings",
    )
    toggled = closed(
        metricId=WHOLE,
        name=TEXT,
        enabled=SWITCH,
        storageUpdated=SWITCH,
        dapConfirmed=said(SWITCH, "It is armed, or taken out, in the processes that it is for."),
        actualLine=nullable(WHOLE),
        dapMessage=nullable(TEXT),
        metadata=METADATA,
        status=TEXT,
    )
    path = "/api/v1/metrics"
    page = closed(metrics=array(metric), total=WHOLE, limit=WHOLE, offset=WHOLE)
    return {
        path: {
            "get": v1_operation("Metrics, newest first", page, parameters=_metric_filters()),
            "post": v1_operation(
                "Add a metric", created, status="201", takes=ref("NewMetric"), errors=taken
            ),
        },
        f"{path}/{{metric}}": {
            "get": v1_operation("One metric", metric, **one),
            "put": v1_operation(
                "Change it", metric, takes=ref("MetricChange"), **{**one, "errors": taken}
            ),
            "delete": v1_operation("Remove it; its events are kept", None, status="204", **one),
        },
        f"{path}/{{metric}}/enable": {"post": v1_operation("Arm it", toggled, **one)},
        f"{path}/{{metric}}/disable": {"post": v1_operation("Disarm it", toggled, **one)},
    }


def _event_paths() -> dict[str, dict[str, Operation]]:
    one, event = _one_metric(), ref("MetricEvent")
    history = closed(
        metricId=WHOLE, metricName=TEXT, events=array(event), totalCount=WHOLE, hasMore=SWITCH
    )
    value = closed(
        metricId=WHOLE, metricName=TEXT, value=ANYTHING, timestamp=MOMENT, isError=SWITCH
    )
    of_one = [
        query("metricId", WHOLE, "Of this metric."),
        query("metricName", TEXT, "Of metrics with this name."),
    ]
    path = "/api/v1/metrics/{metric}"
    return {
        f"{path}/value": {"get": v1_operation("Its newest value", value, **one)},
        f"{path}/history": {
            "get": v1_operation(
                "Its events, newest first",
                history,
                **{**one, "parameters": [*one["parameters"], *_page()]},
            )
        },
        "/api/v1/events": {
            "get": v1_operation(
                "Events, newest first",
                array(event),
                parameters=[*of_one, *_page()],
                errors={"404": "There never was a metric of this name."},
            )
        },
    }


def _one_metric() -> dict[str, Any]:
    return {
        "parameters": [{**path_parameter("metric", "Its id."), "schema": WHOLE}],
        "errors": {"404": "There is no such metric."},
    }


def _group_paths() -> dict[str, dict[str, Operation]]:
    group = closed(name=TEXT, metricCount=WHOLE, enabledCount=WHOLE)
    done = with_optional(
        closed(
            group=TEXT,
            operation=TEXT,
            affectedMetrics=WHOLE,
            successCount=WHOLE,
            failureCount=WHOLE,
            errors=array(TEXT),
        ),
        "errors",
    )
    one: dict[str, Any] = {"parameters": [path_parameter("group", "Its name.")]}
    path = "/api/v1/groups"
    return {
        path: {"get": v1_operation("Groups; metrics without one are in default", array(group))},
        f"{path}/{{group}}/metrics": {
            "get": v1_operation("Its metrics", array(ref("MetricInfo")), **one)
        },
        f"{path}/{{group}}/enable": {"post": v1_operation("Enable all", done, **one)},
        f"{path}/{{group}}/disable": {"post": v1_operation("Disable all", done, **one)},
    }


def _metric_filters() -> list[dict[str, Any]]:
    return [
        query("connectionId", TEXT, "Of this connection."),
        query("enabled", SWITCH, "Only those that are, or aren't."),
        query("limit", {**WHOLE, "minimum": 0, "default": 100}, "At most 1000 are given."),
        query("offset", {**WHOLE, "minimum": 0, "default": 0}, "Leave out so many."),
    ]


def _page() -> list[dict[str, Any]]:
    moment = {**MOMENT, "minimum": 0}
    return [
        query("limit", {**WHOLE, "minimum": 0, "default": 100}, "At most 10000 are given."),
        query("offset", {**WHOLE, "minimum": 0, "default": 0}, "Leave out so many."),
        query("since", moment, "First moment."),
        query("until", moment, "First moment that is too late."),
    ]
