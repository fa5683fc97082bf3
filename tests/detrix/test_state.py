"""``/status``, ``/metrics``, the journal, and the counts of tools."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import wait_until
from tests.detrix.conformance import BETTER, SAME, Row
from tests.detrix.described import described_client
from tests.running_daemon import identity, running_daemon, status
from treetap.api.v1.state import span_text

STATE = "State of the daemon"
CONFORMANCE = [
    Row(STATE, "`GET /status`", SAME, test="test_the_state_has_detrix_s_keys"),
    Row(STATE, "`GET /api/v1/status`", SAME, test="test_the_state_has_detrix_s_keys"),
    Row(
        STATE,
        "`mcpClients` of `/status`",
        SAME,
        test="test_agents_are_told_with_who_started_them",
    ),
    Row(
        STATE,
        "`GET /metrics`",
        BETTER,
        "Detrix's names, and beside them what was received, lost, kept and queued, and each probe's own "
        "counts. `detrix_uptime_seconds` is a gauge: a counter's name would have to end in `_total`.",
        "test_prometheus_reads_the_numbers",
    ),
    Row(
        STATE,
        "`GET /api/v1/system_events`",
        BETTER,
        "Detrix has its system events for tools only, and filters exclude each other; here they are "
        "combined, and the types `metric_updated` and `metric_expired` are told too. Not told: "
        "`metric_relocated` and `metric_orphaned` (a line is found in the code that runs), "
        "`api_call_…`, `expression_validated`.",
        "test_what_happens_is_told_as_system_events",
    ),
    Row(
        STATE,
        "`POST /api/v1/system_events/acknowledge`",
        BETTER,
        "As above.",
        "test_a_system_event_is_acknowledged",
    ),
    Row(
        STATE,
        "`GET /api/v1/mcp/usage`",
        BETTER,
        "The last 20 calls are told one by one.",
        "test_calls_of_tools_are_counted",
    ),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A daemon with a process, a probe that was hit, and one that is disabled."""
    with running_daemon(tmp_path_factory.mktemp("state")) as found:
        found.client.add_probe(location="shop.py:3", expressions=["a"], name="orders", group="shop")
        found.client.add_probe(location="shop.py:4", expressions=["b"], is_enabled=False)
        link = found.connect(identity())
        link.send(["batch", "p1", 2, [[1000, 1], [1001, 2]]])
        link.send({"type": "status", "revision": 1, "probes": [status("p1", hits=9, recorded=4)]})
        wait_until(lambda: found.client.probe("p1")["hits"] == 9)
        found.flush()
        yield found
        link.close()


@pytest.fixture(scope="module")
def http(running):
    with described_client(running.url) as client:
        yield client


def test_the_state_has_detrix_s_keys(http, running):
    for path in ("/status", "/api/v1/status"):
        state = http.get(path).json()
        assert list(state) == [
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
        ]
        assert (state["status"], state["adapterConnected"]) == ("active", True)
        assert (state["activeMetrics"], state["totalMetrics"]) == (1, 2)
        assert (state["activeConnections"], state["totalConnections"]) == (1, 1)
        # Two hits, and the loss of the two before them.
        assert state["totalEvents"] == 3
        assert state["daemon"] == {"pid": os.getpid(), "ppid": os.getppid()}
        assert state["memoryUsageBytes"] > 1_000_000
        assert re.fullmatch(r"\d\d:\d\d:\d\d", state["uptimeFormatted"])
        started = datetime.fromisoformat(state["startedAt"])
        assert datetime.now(UTC) - started < timedelta(minutes=10)


def test_spans_have_days_once_there_are_any():
    assert span_text(9045) == "02:30:45"
    assert span_text(86400 + 9045) == "1d 02:30:45"


def test_agents_are_told_with_who_started_them(http, running):
    running.call(lambda: running.daemon.agents.seen("agent-1", parent_pid=7, parent_name="editor"))
    running.call(lambda: running.daemon.agents.seen("agent-2"))
    try:
        clients = {each["id"]: each for each in http.get("/status").json()["mcpClients"]}
    finally:
        running.call(lambda: running.daemon.agents.forget("agent-1"))
        running.call(lambda: running.daemon.agents.forget("agent-2"))
    assert clients["agent-1"]["parentProcess"] == {"pid": 7, "name": "editor", "bridgePid": None}
    assert clients["agent-2"]["parentProcess"] is None
    assert set(clients["agent-2"]) == {
        "id",
        "connectedAt",
        "connectedDurationSecs",
        "lastActivity",
        "lastActivityAgoSecs",
        "parentProcess",
    }


def test_the_state_of_a_store_that_can_t_be_read_is_degraded(home):
    with running_daemon(home) as found, described_client(found.url) as http:
        for table in ("event", "total"):
            found.daemon.store._writer.call(
                lambda connection, table=table: connection.exec_driver_sql(f"DROP TABLE {table}")
            ).result(20)
        answer = http.get("/status")
        assert (answer.status_code, answer.json()["degraded"]) == (200, ["events"])
        assert "detrix_degraded_components 1.0" in http.get("/metrics").text


def test_prometheus_reads_the_numbers(http, running):
    answer = http.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {
        sample.name: (sample.value, sample.labels)
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.labels.get("probe", "p1") == "p1"
    }
    assert found["detrix_info"][1]["version"]
    for name, value in {
        "detrix_active_metrics_total": 1,
        "detrix_metrics_total": 2,
        "detrix_adapter_connected": 1,
        "detrix_degraded_components": 0,
        "treetap_nodes": 1,
        "treetap_rows_total": 2,
        "treetap_lost_rows_total": 2,
        "treetap_unplaced_rows_total": 0,
        "treetap_store_events": 3,
        "treetap_store_written_rows_total": 3,
    }.items():
        assert found[name][0] == value, name
    for name in (
        "detrix_uptime_seconds",
        "detrix_process_cpu_percent",
        "detrix_process_memory_bytes",
        "treetap_cpu_seconds_total",
        "treetap_store_size_bytes",
    ):
        assert found[name][0] >= 0, name
    labels = {"probe": "p1", "name": "orders", "group": "shop"}
    assert found["treetap_probe_hits_total"] == (9, labels)
    assert found["treetap_probe_recorded_total"] == (4, labels)
    assert found["treetap_probe_lost_total"] == (2, labels)
    assert found["treetap_probe_nodes"] == (1, labels)


def test_who_asks_for_openmetrics_gets_it(http):
    answer = http.get("/metrics", headers={"accept": "application/openmetrics-text"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def system_events(http, **query):
    answer = http.get("/api/v1/system_events", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_happens_is_told_as_system_events(http, running):
    running.flush()
    told = system_events(http)
    assert [each["eventType"] for each in told][::-1][:3] == [
        "metric_added",
        "metric_added",
        "connection_created",
    ]
    connection = http.get("/api/v1/connections").json()[0]["connectionId"]
    created = system_events(http, eventTypes="connection_created")[0]
    assert created["connectionId"] == connection
    assert system_events(http, connectionId=connection, eventTypes="metric_added") == []
    assert system_events(http, connectionId=connection) == [created]
    added = system_events(http, eventTypes="metric_added", limit=1)[0]
    assert added == {
        "id": added["id"],
        "eventType": "metric_added",
        "timestamp": added["timestamp"],
        "connectionId": None,
        "metricId": 2,
        "metricName": "",
        "details": {
            "probe": "p2",
            "probe_name": "",
            "location": "shop.py:4",
            "is_enabled": False,
        },
        "acknowledged": False,
        "actor": None,
        "resource": None,
        "oldValue": None,
        "newValue": None,
    }
    later = system_events(http, since=added["timestamp"], eventTypes="metric_added")
    assert [each["id"] for each in later] == [added["id"]]
    assert system_events(http, eventTypes="metric_relocated") == []
    assert system_events(http, connectionId="nobody") == []
    assert system_events(http, limit=0) == []


def test_who_was_refused_is_told(http, running):
    refused = httpx.get(
        f"{running.url}/api/v1/metrics",
        headers={"origin": "http://evil.example"},
        trust_env=False,
        timeout=60,
    )
    assert refused.status_code == 403
    running.flush()
    event = system_events(http, eventTypes="authentication_failed")[0]
    assert (event["actor"], event["resource"]) == ("127.0.0.1", "/api/v1/metrics")
    assert event["details"]["reason"] == "request-origin"


def test_a_filter_that_makes_no_sense_is_refused(http):
    for query in ("eventTypes=nothing", "limit=-1", "since=now", "unacknowledgedOnly=maybe"):
        answer = http.get(f"/api/v1/system_events?{query}")
        assert (answer.status_code, answer.json()["errorCode"]) == (400, 3001), query


def test_a_system_event_is_acknowledged(http, running):
    running.flush()
    first = system_events(http)[-1]["id"]
    answer = http.post("/api/v1/system_events/acknowledge", json={"eventIds": [first, 10**6]})
    assert answer.json() == {"acknowledged": 1}
    assert first not in [each["id"] for each in system_events(http, unacknowledgedOnly="true")]
    assert [e["id"] for e in system_events(http) if e["acknowledged"]] == [first]
    bad = http.post("/api/v1/system_events/acknowledge", json={"eventIds": ["a"]})
    assert bad.status_code == 422


def test_calls_of_tools_are_counted(http, running):
    usage = running.daemon.usage
    running.call(lambda: usage.note("inspect_file", duration_s=0.25, client="a"))
    running.call(
        lambda: usage.note("add_metric", duration_s=0.75, client="a", error="probe-exists")
    )
    counts = http.get("/api/v1/mcp/usage").json()
    recent = counts.pop("recentCalls")
    assert counts == {
        "totalCalls": 2,
        "totalSuccess": 1,
        "totalErrors": 1,
        "successRate": 0.5,
        "avgLatencyMs": 500.0,
        "topErrors": [{"code": "probe-exists", "count": 1}],
        "workflow": {
            "correctWorkflows": 1,
            "skippedInspect": 0,
            "noConnection": 0,
            "adherenceRate": 1.0,
        },
    }
    assert [each["tool"] for each in recent] == ["inspect_file", "add_metric"]
