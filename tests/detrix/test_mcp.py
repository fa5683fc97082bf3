"""``/mcp`` as agents for Detrix use it: its tools by name and parameter, its bridge's plain JSON-RPC."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.detrix.conformance import BETTER, NOT_THERE, SAME, Row
from tests.running_daemon import running_daemon

MCP = "MCP"
CONFORMANCE = [
    Row(
        MCP,
        "`POST /mcp`",
        BETTER,
        "The plain JSON-RPC of protocol 2024-11-05 as there; clients of 2025 and 2026 as well. A body that "
        "is no request is answered 400, with the same codes; `serverInfo` says `treetap`.",
        "test_the_bridge_greets_lists_and_calls",
    ),
    Row(MCP, "`POST /mcp/heartbeat`", SAME, test="test_a_bridge_beats_and_leaves"),
    Row(MCP, "`POST /mcp/disconnect`", SAME, test="test_a_bridge_beats_and_leaves"),
    Row(
        MCP,
        "`DELETE /mcp`",
        BETTER,
        "Detrix has no sessions. Here they are names, which a client of 2025 takes back by this.",
        "test_a_session_is_a_name_that_is_taken_back",
    ),
    Row(
        MCP,
        "tools and their parameters",
        BETTER,
        "All of Detrix's. Fewer are required; a parameter that isn't known is refused, not ignored.",
        "test_every_tool_is_here_with_its_parameters",
    ),
    Row(
        MCP,
        "modes, `ttl_seconds`, `stack_trace_…`, `snapshot_ttl`",
        BETTER,
        "They have their effect. A metric of `observe` and `add_metric` ends after an hour if nothing "
        "else is said; `condition` is a parameter of both, and `max_hits` of `add_metric`.",
        "test_what_a_metric_asks_for_is_what_its_probe_is",
    ),
    Row(
        MCP,
        "`wake` and `observe`",
        BETTER,
        "Sleeping processes are woken; `observe` needs no connection, and waits for the first values.",
        "test_a_metric_needs_no_connection",
    ),
    Row(
        MCP,
        "tools `list_processes`, `dump_stacks`",
        BETTER,
        "Detrix knows processes from when they are connected.",
        "test_there_are_more_tools",
    ),
    Row(
        MCP,
        "errors of tools",
        BETTER,
        "JSON that says what, why and the way out, in place of a text.",
        "test_an_error_of_a_tool_says_what_and_why",
    ),
    Row(
        MCP,
        "`format` `toon`",
        NOT_THERE,
        "The parameter is taken; the answer is JSON, of bounded size, which every model reads.",
        "test_answers_are_json_whatever_format_is_asked_for",
    ),
    Row(
        MCP,
        "a daemon that ends with its last agent",
        NOT_THERE,
        "Programs that are observed would be left alone; `treetap daemon stop` ends it.",
    ),
]

#: Detrix's tools, with all that each may be given.
TOOLS = {
    "wake": "",
    "sleep": "",
    "get_status": "",
    "create_connection": "host port language name workspace_root hostname program pid safe_mode",
    "close_connection": "connection_id",
    "get_connection": "connection_id",
    "list_connections": "active_only format",
    "add_metric": "name location line expressions connection_id group enabled mode sample_rate "
    "sample_interval_seconds max_per_second capture_stack_trace stack_trace_ttl stack_trace_full "
    "stack_trace_head stack_trace_tail capture_memory_snapshot snapshot_scope snapshot_ttl replace",
    "observe": "file expressions line connection_id name find_variable group capture_stack_trace "
    "capture_memory_snapshot ttl_seconds",
    "enable_from_diff": "diff connection_id group ttl_seconds",
    "list_metrics": "group enabled_only format",
    "get_metric": "name",
    "remove_metric": "name",
    "update_metric": "name expressions group enabled",
    "toggle_metric": "name enabled",
    "query_metrics": "name group limit format",
    "list_groups": "format",
    "enable_group": "group",
    "disable_group": "group",
    "validate_expression": "expression language",
    "inspect_file": "file_path line find_variable",
    "query_system_events": "since_timestamp event_types connection_id unacknowledged_only limit format",
    "acknowledge_events": "event_ids",
    "get_config": "format",
    "update_config": "config_toml persist",
    "validate_config": "config_toml",
    "reload_config": "",
    "get_mcp_usage": "",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    home = tmp_path_factory.mktemp("mcp") / "home"
    home.mkdir(mode=0o700)
    with running_daemon(home) as found:
        yield found


@pytest.fixture
def bridge(running):
    """As Detrix's bridge asks: every message by itself, with its headers."""
    headers = {"x-detrix-client-id": "bridge", "x-detrix-parent-pid": "4711"}
    with httpx.Client(base_url=running.url, headers=headers, timeout=30, trust_env=False) as http:
        yield http


def ask(http, method, **params):
    answer = http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def call(http, tool, **arguments):
    result = ask(http, "tools/call", name=tool, arguments=arguments)
    return result["isError"], json.loads(result["content"][0]["text"])


def tools(http):
    return {tool["name"]: tool for tool in ask(http, "tools/list")["tools"]}


def test_the_bridge_greets_lists_and_calls(bridge):
    greeting = ask(
        bridge,
        "initialize",
        protocolVersion="2024-11-05",
        capabilities={},
        clientInfo={"name": "b", "version": "1"},
    )
    assert greeting["protocolVersion"] == "2024-11-05"
    assert "tools" in greeting["capabilities"]
    bridge.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert len(tools(bridge)) >= len(TOOLS)
    assert call(bridge, "list_metrics") == (False, {"metrics": [], "total": 0})
    unknown = bridge.post("/mcp", json={"jsonrpc": "2.0", "id": 7, "method": "nothing"}).json()
    assert (unknown["id"], unknown["error"]["code"]) == (7, -32601)


def test_a_bridge_beats_and_leaves(bridge):
    def agents():
        return {agent["id"]: agent for agent in bridge.get("/status").json()["mcpClients"]}

    assert bridge.post("/mcp/heartbeat").status_code == 200
    assert agents()["bridge"]["parentProcess"]["pid"] == 4711
    assert bridge.post("/mcp/disconnect").status_code == 200
    assert "bridge" not in agents()
    del bridge.headers["x-detrix-client-id"]
    assert bridge.post("/mcp/heartbeat").status_code == 400


def test_a_session_is_a_name_that_is_taken_back(running):
    with httpx.Client(base_url=running.url, timeout=30, trust_env=False) as http:
        greeting = http.post(
            "/mcp",
            json={
                "jsonrpc": "2.0",
                "id": 1,
                "method": "initialize",
                "params": {
                    "protocolVersion": "2025-06-18",
                    "capabilities": {},
                    "clientInfo": {"name": "editor", "version": "1"},
                },
            },
        )
        session = greeting.headers["mcp-session-id"]

        def known():
            return [agent["id"] for agent in http.get("/status").json()["mcpClients"]]

        assert session in known()
        assert http.delete("/mcp", headers={"mcp-session-id": session}).status_code == 204
        assert session not in known()
        # Whose daemon was started anew goes on with the session that it had.
        listed = http.post(
            "/mcp",
            headers={"mcp-session-id": session, "mcp-protocol-version": "2025-06-18"},
            json={"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        )
        assert listed.status_code == 200
        assert session in known()


def test_every_tool_is_here_with_its_parameters(bridge):
    here = tools(bridge)
    for name, parameters in TOOLS.items():
        schema = here[name]["inputSchema"]
        assert set(parameters.split()) <= set(schema["properties"]), name
        # What Detrix leaves to the caller may be left out here, too.
        assert set(schema.get("required", ())) <= set(parameters.split()), name
        assert here[name]["description"], name


def test_there_are_more_tools(bridge):
    assert {"list_processes", "dump_stacks"} <= set(tools(bridge)) - set(TOOLS)
    assert call(bridge, "list_processes") == (False, {"processes": []})


def test_what_a_metric_asks_for_is_what_its_probe_is(running, bridge):
    is_error, told = call(
        bridge,
        "add_metric",
        name="asked",
        location="@shop.py#3",
        expressions=["total"],
        mode="throttle",
        max_per_second=7,
        ttl_seconds=60,
        condition="total > 3",
        max_hits=5,
        capture_stack_trace=True,
    )
    assert not is_error
    probe = running.client.probe("asked")
    assert (probe["mode"], probe["rate"], probe["ttl_s"]) == ("throttle", 7, 60)
    assert (probe["condition"], probe["max_hits"], probe["snapshot"]) == ("total > 3", 5, True)
    _, metric = call(bridge, "get_metric", name="asked")
    assert metric["mode"] == {"mode": {"throttle": {"maxPerSecond": 7}}}
    assert (metric["captureStackTrace"], metric["captureMemorySnapshot"]) == (True, False)
    assert metric["metricId"] == told["metricId"]
    call(bridge, "remove_metric", name="asked")


def test_a_metric_needs_no_connection(running, bridge):
    is_error, told = call(bridge, "observe", file="shop.py", line=3, expressions=["total"])
    assert (is_error, told["processes"]) == (False, [])
    assert told["note"]
    assert any(running.client.probe(told["name"])["target"].values()) is False
    assert call(bridge, "remove_metric", name=told["name"])[1]["status"] == "removed"


def test_an_error_of_a_tool_says_what_and_why(bridge):
    is_error, told = call(bridge, "get_metric", name="nobody")
    assert is_error
    assert told["error"]["code"] == "metric-unknown"
    assert told["error"]["hint"]


def test_answers_are_json_whatever_format_is_asked_for(bridge):
    for form in ("json", "toon"):
        assert call(bridge, "list_groups", format=form) == (False, {"groups": []})
