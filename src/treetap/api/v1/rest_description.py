"""The routes of ``rest`` in the OpenAPI document."""

from __future__ import annotations

from treetap.api.operation import Operation, operation, query
from treetap.api.schema import (
    ANYTHING,
    NUMBER,
    SWITCH,
    TEXT,
    WHOLE,
    Schema,
    array,
    closed,
    nullable,
    ref,
    said,
)
from treetap.api.v1.description import v1_operation

_MOMENT_US = said(WHOLE, "Microseconds since the epoch.")
_NO_METADATA: Schema = {"type": "null"}
_PLACE = closed(file=TEXT, line=said(WHOLE, "0 if there is no place for it."))


def _some(needed: tuple[str, ...], **properties: Schema) -> Schema:
    """An object of which only some properties are always there."""
    return {**closed(**properties), "required": list(needed)}


SCHEMAS: dict[str, Schema] = {
    "DaemonState": _some(
        (
            "status",
            "uptimeSeconds",
            "uptimeFormatted",
            "startedAt",
            "adapterConnected",
            "activeMetrics",
            "totalMetrics",
            "totalEvents",
            "activeConnections",
            "totalConnections",
            "cpuUsagePercent",
            "memoryUsageBytes",
            "daemon",
            "mcpClients",
        ),
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
                lastActivity=_MOMENT_US,
                lastActivityAgoSecs=WHOLE,
                parentProcess={
                    "oneOf": [
                        {"type": "null"},
                        closed(pid=WHOLE, name=TEXT, bridgePid=nullable(WHOLE)),
                    ]
                },
            )
        ),
        degraded=said(array(TEXT), "Parts that can't be read; absent if all can."),
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
            closed(tool=TEXT, timestamp=_MOMENT_US, latencyMs=NUMBER, errorCode=nullable(TEXT))
        ),
    ),
    "Verdict": closed(
        isSafe=SWITCH,
        expression=TEXT,
        metadata=_NO_METADATA,
        language=TEXT,
        violations=array(TEXT),
        warnings=array(TEXT),
    ),
    "Inspection": _some(
        ("filePath", "language", "contextLines", "totalLines"),
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
    "DiffMetrics": closed(
        connectionId=TEXT,
        dryRun=SWITCH,
        created=WHOLE,
        skipped=WHOLE,
        failed=WHOLE,
        metrics=array(
            _some(
                (
                    "metricId",
                    "name",
                    "location",
                    "expressions",
                    "confidence",
                    "code",
                    "status",
                    "error",
                ),
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
            )
        ),
        warnings=array(TEXT),
    ),
    "SystemEvent": closed(
        id=WHOLE,
        eventType=TEXT,
        timestamp=_MOMENT_US,
        connectionId=nullable(TEXT),
        metricId=nullable(WHOLE),
        metricName=nullable(TEXT),
        details={"type": "object"},
        acknowledged=SWITCH,
        actor=nullable(TEXT),
        resource=nullable(TEXT),
        oldValue=_NO_METADATA,
        newValue=_NO_METADATA,
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
        metadata=_NO_METADATA,
    ),
    "DaemonConfigCheck": closed(
        valid=SWITCH, errors=array(TEXT), warnings=array(TEXT), metadata=_NO_METADATA
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
    asked = _some(("expression", "language"), expression=TEXT, language=TEXT, safetyLevel=TEXT)
    looked = _some(("filePath",), filePath=TEXT, line={**WHOLE, "minimum": 1}, findVariable=TEXT)
    diff = _some(
        ("diff",),
        diff=said(TEXT, "What `git diff` writes."),
        connectionId=said(TEXT, "The only connected one if not given."),
        group=TEXT,
        ttlSeconds={**WHOLE, "minimum": 0},
        dryRun=said(SWITCH, "Make nothing; say what would be made."),
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
        query("since", {**WHOLE, "minimum": 0}, "Microseconds since the epoch."),
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
    change = _some(("configToml",), configToml=said(TEXT, "Some of a config.toml."), persist=SWITCH)
    path = _some((), configPath=said(TEXT, "The daemon's own; another is an error."))
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
