"""``/mcp`` over HTTP: clients of every age of the protocol, and what is no request at all."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import httpx
import pytest
from mcp import Client

from tests.conftest import wait_until
from tests.running_daemon import running_daemon

MESSAGE = {"jsonrpc": "2.0", "id": 1}


@pytest.fixture
def http(stage):
    with httpx.Client(base_url=stage.agent.url, timeout=30, trust_env=False) as client:
        yield client


def rpc(http, method, params=None, **more):
    message = {**MESSAGE, "method": method, **({} if params is None else {"params": params})}
    return http.post("/mcp", json=message, **more)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_sdk_client_finds_the_tools_and_calls_one(stage, mode):
    async def talk():
        async with Client(f"{stage.agent.url}/mcp", mode=mode) as client:
            tools = (await client.list_tools()).tools
            return tools, await client.call_tool("list_processes", {})

    tools, answer = asyncio.run(talk())
    observe = next(tool for tool in tools if tool.name == "observe")
    assert {"file", "expressions"} == set(observe.input_schema["required"])
    assert observe.description
    assert all(tool.description and tool.annotations for tool in tools)
    assert "mill" in answer.content[0].text


def test_a_client_of_2024_knows_of_no_session_and_accepts_anything(http):
    greeting = rpc(
        http,
        "initialize",
        {
            "protocolVersion": "2024-11-05",
            "capabilities": {},
            "clientInfo": {"name": "old", "version": "1"},
        },
    )
    result = greeting.json()["result"]
    assert result["protocolVersion"] == "2024-11-05"
    assert result["capabilities"]["tools"] is not None
    assert result["serverInfo"]["name"] == "treetap"
    del http.headers["accept"]
    noted = http.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (noted.status_code, noted.content) == (202, b"")
    listed = rpc(http, "tools/list")
    assert listed.headers["content-type"] == "application/json"
    assert len(listed.json()["result"]["tools"]) > 20
    called = rpc(http, "tools/call", {"name": "list_groups", "arguments": {}})
    assert called.json()["result"]["isError"] is False


@pytest.mark.parametrize("params", [None, {}, {"clientInfo": {"name": "old", "version": "1"}}])
def test_a_client_of_2024_need_not_introduce_itself(http, params):
    result = rpc(http, "initialize", params).json()["result"]
    assert result["protocolVersion"] == "2024-11-05"


def test_what_is_no_request_is_told_by_its_code_in_json_rpc(http):
    def code_of(content):
        answer = http.post("/mcp", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 400
        return answer.json()["error"]["code"]

    assert code_of(b"{") == -32700
    assert code_of(b"[" * 100_000) == -32700
    assert code_of(b"[]") == -32600
    assert code_of(b"7") == -32600
    assert code_of(b'{"jsonrpc": "2.0", "id": 4}') == -32600
    assert code_of(b'{"jsonrpc": "1.0", "id": 4, "method": "tools/list"}') == -32600
    unknown = rpc(http, "resources/list", {})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (200, -32601)
    wrong = rpc(http, "tools/call", {"arguments": {}})
    assert wrong.json()["error"]["code"] == -32602


def test_a_tool_that_is_not_there_and_arguments_that_do_not_fit_are_answers_that_say_so(stage):
    agent = stage.agent
    assert agent.refused("observe_all")["code"] == "tool-unknown"
    misspelt = agent.refused("list_processes", proces="mill")
    assert "takes no 'proces'" in misspelt["what"]
    assert "process" in misspelt["hint"]
    lacking = agent.refused("add_metric", location="a.py:1")
    assert "expressions" in lacking["hint"]
    wrong = agent.refused("query_metrics", limit="many")
    assert "limit" in wrong["hint"]


def test_a_body_that_is_too_large_is_refused(http):
    answer = http.post(
        "/mcp",
        content=b"x" * (4 * 1024 * 1024 + 1),
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 413


def test_there_is_no_stream_to_listen_to(http):
    assert http.get("/mcp").status_code == 405


def test_a_web_page_may_not_call_tools(http):
    answer = rpc(http, "tools/list", headers={"origin": "http://evil.example"})
    assert answer.status_code == 403


def test_a_client_is_known_while_it_beats_and_until_it_says_goodbye(stage, http):
    def known():
        return {client.id: client for client in stage.running.call(stage.running.daemon.agents.all)}

    headers = {
        "x-detrix-client-id": "bridge-1",
        "x-detrix-parent-pid": "4711",
        "x-detrix-parent-name": "editor",
        "x-detrix-bridge-pid": "4712",
    }
    assert http.post("/mcp/heartbeat", headers=headers).status_code == 200
    bridge = known()["bridge-1"]
    assert (bridge.parent_pid, bridge.parent_name, bridge.bridge_pid) == (4711, "editor", 4712)
    assert rpc(http, "ping", headers={"x-detrix-client-id": "bridge-2"}).status_code == 200
    assert "bridge-2" in known()
    for name in ("bridge-1", "bridge-2"):
        http.post("/mcp/disconnect", headers={"x-detrix-client-id": name})
        assert name not in known()
    for route in ("heartbeat", "disconnect"):
        assert http.post(f"/mcp/{route}").status_code == 400
        assert (
            http.post(f"/mcp/{route}", headers={"x-detrix-client-id": b"\xe9"}).status_code == 400
        )


def test_a_client_of_the_sdk_is_known_by_its_session_and_gone_with_it(stage):
    def known():
        agents = stage.running.call(stage.running.daemon.agents.all)
        return [client.id for client in agents if client.id.startswith("mcp-")]

    async def talk():
        async with Client(f"{stage.agent.url}/mcp", mode="legacy") as client:
            await client.list_tools()
            return known()

    before = set(known())
    (own,) = set(asyncio.run(talk())) - before
    assert wait_until(lambda: own not in known())


def test_calls_are_counted_with_their_errors(stage):
    usage = stage.running.daemon.usage
    before = usage.view()
    stage.agent.get("list_processes")
    stage.agent.refused("list_processes", nonsense=1)
    after = usage.view()
    assert after["calls"] == before["calls"] + 2
    assert after["failed"] == before["failed"] + 1
    assert [call["error"] for call in after["recent"][-2:]] == ["", "arguments"]


def test_without_the_sdk_the_daemon_says_what_is_missing(home, monkeypatch):
    # As if it were not there, and nothing of it had been loaded yet.
    monkeypatch.delitem(sys.modules, "treetap.mcp.server", raising=False)
    monkeypatch.setitem(sys.modules, "mcp", None)
    with running_daemon(home) as running:
        answer = httpx.post(
            f"{running.url}/mcp", json={**MESSAGE, "method": "tools/list"}, timeout=60
        )
    assert answer.status_code == 501
    assert "mcp-missing" in answer.text
    assert "treetap[mcp]" in answer.text


def test_what_only_agents_need_is_not_loaded_at_the_daemons_start():
    program = (
        "import sys, treetap.app.run\n"
        "print(*sorted({'httpx', 'mcp', 'pydantic'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []
