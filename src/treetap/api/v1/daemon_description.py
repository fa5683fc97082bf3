"""The part of ``/api/v1`` in the OpenAPI document that isn't about observing: the daemon, its sources, its settings."""

from __future__ import annotations

from treetap.api.json_schema import (
    ANYTHING,
    NULL,
    NUMBER,
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
from treetap.api.operation import Operation, operation, query
from treetap.api.v1.description import METADATA, MOMENT, v1_operation

_PLACE = closed(file=TEXT, line=said(WHOLE, "0 if there is no place for it."))


SCHEMAS: dict[str, Schema] = {
    "DaemonState": with_optional(
        closed(
            status={"type": "string", "enum": ["active", "idle"]},
            uptimeSeconds=WHOLE,
            uptimeFormatted=said(TEXT, "02:30:45, or 1d 02:30:45."),
            startedAt=said(TEXT, "ISO 8601."),
            adapterConnected=SWITCH,
            activeMetrics=WHOLE,
            totalMetrics=WHOLE,
            totalEvents=said(WHOLE, "About so many are kept."),
            activeConnections=WHOLE,
            totalConnections=WHOLE,
            cpuUsagePercent=said(NUMBER, "Of one core, lately."),
            memoryUsageBytes=WHOLE,
            daemon=closed(pid=WHOLE, ppid=WHOLE),
            mcpClients=array(
                closed(
                    id=TEXT,
                    connectedAt=said(TEXT, "ISO 8601."),
                    connectedDurationSecs=WHOLE,
                    lastActivity=MOMENT,
                    lastActivityAgoSecs=WHOLE,
                    parentProcess=optional(closed(pid=WHOLE, name=TEXT, bridgePid=nullable(WHOLE))),
                )
            ),
            degraded=said(array(TEXT), "Parts that can't be read; absent if all can."),
        ),
        "degraded",
    ),
    "ToolUsage": closed(
        totalCalls=WHOLE,
        totalSuccess=WHOLE,
        totalErrors=WHOLE,
        successRate=NUMBER,
        avgLatencyMs=NUMBER,
        topErrors=array(closed(code=TEXT, count=WHOLE)),
        workflow=closed(
            correctWorkflows=WHOLE, skippedInspect=WHOLE, noConnection=WHOLE, adherenceRate=NUMBER
        ),
        recentCalls=array(
            closed(tool=TEXT, timestamp=MOMENT, latencyMs=NUMBER, errorCode=nullable(TEXT))
        ),
    ),
    "Verdict": closed(
        isSafe=SWITCH,
        expression=TEXT,
        metadata=METADATA,
        language=TEXT,
        violations=array(TEXT),
        warnings=array(TEXT),
    ),
    "Inspection": with_optional(
        closed(
            filePath=TEXT,
            language=said(TEXT, "Python, Go, Rust or Text."),
            targetLine=WHOLE,
            codeAtLine=TEXT,
            availableVariables=array(TEXT),
            holdsCode=said(SWITCH, "Whether a metric can sit at the line."),
            nearestLines=said(array(WHOLE), "Those that hold code, if this one doesn't."),
            variableDefinitions=array(closed(line=WHOLE, scope=TEXT, code=TEXT)),
            suggestedLines=said(array(WHOLE), "Where the variable has just got its value."),
            similarVariables=array(TEXT),
            contextLines=array(closed(lineNumber=WHOLE, code=TEXT, isTarget=SWITCH)),
            totalLines=WHOLE,
            warnings=array(TEXT),
        ),
        "targetLine",
        "codeAtLine",
        "availableVariables",
        "holdsCode",
        "nearestLines",
        "variableDefinitions",
        "suggestedLines",
        "similarVariables",
        "warnings",
    ),
    "DiffMetrics": closed(
        connectionId=TEXT,
        dryRun=SWITCH,
        created=WHOLE,
        skipped=WHOLE,
        failed=WHOLE,
        metrics=array(
            with_optional(
                closed(
                    metricId=nullable(WHOLE),
                    name=TEXT,
                    location=_PLACE,
                    expressions=array(TEXT),
                    confidence={"type": "string", "enum": ["high", "medium", "low"]},
                    code=TEXT,
                    status={
                        "type": "string",
                        "enum": ["created", "exists", "found", "skipped", "failed"],
                    },
                    error=nullable(TEXT),
                    fault=said(ANYTHING, "The error as its own route would have answered."),
                    warnings=array(TEXT),
                ),
                "fault",
                "warnings",
            )
        ),
        warnings=array(TEXT),
    ),
    "SystemEvent": closed(
        id=WHOLE,
        eventType=TEXT,
        timestamp=MOMENT,
        connectionId=nullable(TEXT),
        metricId=nullable(WHOLE),
        metricName=nullable(TEXT),
        details={"type": "object"},
        acknowledged=SWITCH,
        actor=nullable(TEXT),
        resource=nullable(TEXT),
        oldValue=NULL,
        newValue=NULL,
    ),
    "DaemonConfig": closed(
        configToml=said(TEXT, "What holds now; secrets are left out."),
        version=said(TEXT, "runtime-12s."),
    ),
    "DaemonConfigChange": closed(
        configToml=TEXT, version=TEXT, persisted=SWITCH, configPath=TEXT, warnings=array(TEXT)
    ),
    "DaemonConfigReload": closed(
        success=SWITCH,
        metricsLoaded=said(WHOLE, "0: metrics are in the store."),
        errors=array(TEXT),
        warnings=array(TEXT),
        metadata=METADATA,
    ),
    "DaemonConfigCheck": closed(
        valid=SWITCH, errors=array(TEXT), warnings=array(TEXT), metadata=METADATA
    ),
}


def paths() -> dict[str, dict[str, Operation]]:
    return {**_of_daemon(), **_of_sources(), **_of_journal(), **_of_config()}


def _of_daemon() -> dict[str, dict[str, Operation]]:
    state = {"get": v1_operation("The daemon in one object; never fails", ref("DaemonState"))}
    numbers = operation("The daemon's numbers, for Prometheus", None)
    numbers["responses"]["200"]["content"] = {"text/plain": {"schema": TEXT}}
    return {
        "/status": state,
        "/api/v1/status": state,
        "/metrics": {"get": numbers},
        "/ws": {"get": _of_live_stream()},
        "/api/v1/mcp/usage": {"get": v1_operation("How agents use the tools", ref("ToolUsage"))},
    }


def _of_live_stream() -> Operation:
    live = v1_operation(
        "Hits as they happen, each a text frame",
        ANYTHING,
        parameters=[
            query("metricId", {**WHOLE, "minimum": 0}, "Of this metric."),
            query("metricName", TEXT, "Of metrics with this name."),
            query("connectionId", TEXT, "Of this connection."),
            query("group", TEXT, "Of this group."),
        ],
        errors={
            "426": "The request opens no WebSocket.",
            "429": "This peer has too many of them.",
        },
    )
    del live["responses"]["200"]
    live["responses"]["101"] = {"description": "A WebSocket, on which the daemon alone speaks."}
    return live


def _of_sources() -> dict[str, dict[str, Operation]]:
    asked = with_optional(closed(expression=TEXT, language=TEXT, safetyLevel=TEXT), "safetyLevel")
    looked = with_optional(
        closed(filePath=TEXT, line={**WHOLE, "minimum": 1}, findVariable=TEXT),
        "line",
        "findVariable",
    )
    diff = with_optional(
        closed(
            diff=said(TEXT, "What `git diff` writes."),
            connectionId=said(TEXT, "The only connected one if not given."),
            group=TEXT,
            ttlSeconds={**WHOLE, "minimum": 0},
            dryRun=said(SWITCH, "Make nothing; say what would be made."),
        ),
        "connectionId",
        "group",
        "ttlSeconds",
        "dryRun",
    )
    gone = {"404": "There is no such file, or no such line in it."}
    return {
        "/api/v1/validate_expression": {
            "post": v1_operation("May a metric take it", ref("Verdict"), takes=asked)
        },
        "/api/v1/inspect_file": {
            "post": v1_operation(
                "A source file's names and lines", ref("Inspection"), takes=looked, errors=gone
            )
        },
        "/api/v1/enable_from_diff": {
            "post": v1_operation(
                "Metrics in place of the prints that a diff adds",
                ref("DiffMetrics"),
                takes=diff,
                errors={"404": "There is no such connection."},
            )
        },
    }


def _of_journal() -> dict[str, dict[str, Operation]]:
    filters = [
        query("since", {**MOMENT, "minimum": 0}, "The first moment."),
        query("eventTypes", TEXT, "Some of them, with commas."),
        query("connectionId", TEXT, "Of this connection."),
        query("unacknowledgedOnly", SWITCH, "Those that nobody has acknowledged."),
        query("limit", {**WHOLE, "minimum": 0, "default": 100}, "At most 1000."),
    ]
    ids = closed(eventIds=array({**WHOLE, "minimum": 0}))
    return {
        "/api/v1/system_events": {
            "get": v1_operation(
                "What happened to metrics, connections and the daemon, newest first",
                array(ref("SystemEvent")),
                parameters=filters,
            )
        },
        "/api/v1/system_events/acknowledge": {
            "post": v1_operation("Somebody knows of them", closed(acknowledged=WHOLE), takes=ids)
        },
    }


def _of_config() -> dict[str, dict[str, Operation]]:
    toml = closed(configToml=TEXT)
    change = with_optional(
        closed(configToml=said(TEXT, "Some of a config.toml."), persist=SWITCH), "persist"
    )
    path = with_optional(
        closed(configPath=said(TEXT, "The daemon's own; another is an error.")), "configPath"
    )
    return {
        "/api/v1/config": {
            "get": v1_operation("The daemon's settings, without secrets", ref("DaemonConfig")),
            "put": v1_operation("Change some of them", ref("DaemonConfigChange"), takes=change),
        },
        "/api/v1/config/reload": {
            "post": {
                **v1_operation("Read the file again", ref("DaemonConfigReload"), takes=path),
                "requestBody": {
                    "required": False,
                    "content": {"application/json": {"schema": path}},
                },
            }
        },
        "/api/v1/config/validate": {
            "post": v1_operation(
                "Would this be a config.toml", ref("DaemonConfigCheck"), takes=toml
            )
        },
    }
