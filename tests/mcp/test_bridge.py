"""``treetap mcp``: a process of its own, as an agent starts it, spoken to by the SDK's client over stdio."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager

import httpx
import pytest
from mcp import Client, StdioServerParameters

from tests.conftest import wait_until
from treetap.client import DaemonClient, find_daemon
from treetap.mcp.bridge import result_of
from treetap.mcp.services import Refusal

TIMEOUT_S = 60


@pytest.fixture
def daemonless(home):
    """A home without a daemon; one that is started there ends with the test."""
    (home / "config.toml").write_text("[daemon]\nport = 0\n")
    yield home
    stop_daemon(home)


@asynccontextmanager
async def bridge(home):
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "treetap.cli", "mcp"],
        env={**os.environ, "TREETAP_HOME": str(home)},
    )
    async with Client(command, read_timeout_seconds=TIMEOUT_S) as client:
        yield client


def stop_daemon(home):
    url = find_daemon(home)
    if url is not None:
        with DaemonClient(url) as client:
            client.shutdown()
        wait_until(lambda: find_daemon(home) is None)


def content(answer):
    return json.loads(answer.content[0].text)


def test_a_call_starts_the_daemon_and_one_that_has_ended_is_started_again(daemonless):
    home = daemonless
    database = home / "treetap.db"
    database.write_bytes(b"no database at all" * 100)

    async def talk():
        async with bridge(home) as agent:
            tools = (await agent.list_tools()).tools
            assert len(tools) > 20
            # To know the tools, or to be there, needs no daemon.
            assert find_daemon(home) is None

            failed = await agent.call_tool("get_status", {})
            assert failed.is_error
            assert content(failed)["error"]["code"].startswith("store")
            database.unlink()

            first = content(await agent.call_tool("get_status", {}))
            (client,) = first["mcpClients"]
            assert client["id"].startswith("treetap-mcp-")
            assert client["parentProcess"]["pid"] == os.getpid()

            await asyncio.to_thread(stop_daemon, home)
            second = content(await agent.call_tool("get_status", {}))
            assert second["daemon"]["pid"] != first["daemon"]["pid"]

            refused = await agent.call_tool("get_metric", {"name": "nobody"})
            assert refused.is_error
            assert content(refused)["error"]["code"] == "metric-unknown"

    asyncio.run(talk())

    def clients() -> list[dict[str, object]]:
        status = httpx.get(f"{find_daemon(home)}/status", trust_env=False, timeout=60)
        return status.json()["mcpClients"]

    # It says goodbye when its stdin ends; a client that is silent is forgotten after 30 s.
    wait_until(lambda: clients() == [], 25)
    logged = (home / "daemon.log").read_text()
    assert "serves http" in logged
    assert "POST" not in logged, "not a line a request"
    assert "session" not in logged


def answer(status, content):
    request = httpx.Request("POST", "http://127.0.0.1:1/mcp")
    if isinstance(content, str):
        return httpx.Response(status, text=content, request=request)
    return httpx.Response(status, json=content, request=request)


def test_the_result_of_an_answer_is_handed_on():
    assert result_of(answer(200, {"jsonrpc": "2.0", "id": 1, "result": {"content": []}})) == {
        "content": []
    }


@pytest.mark.parametrize(
    ("status", "content", "code", "what"),
    [
        (200, {"error": {"code": -32602, "message": "Wrong."}}, "daemon", "Wrong."),
        (501, {"error": "No SDK.", "slug": "mcp-missing", "hint": "pip"}, "mcp-missing", "No SDK."),
        (401, {"error": {"slug": "request-stranger", "what": "Who?"}}, "request-stranger", "Who?"),
        (500, "Internal Server Error", "daemon-unreachable", "ended in the middle"),
        (404, "<html>", "daemon-foreign", "http://127.0.0.1:1/mcp"),
        (200, [], "daemon-foreign", "http://127.0.0.1:1/mcp"),
        (200, {}, "daemon-foreign", "http://127.0.0.1:1/mcp"),
    ],
)
def test_an_answer_that_is_an_error_or_none_of_a_daemon_s_is_told_as_such(
    status, content, code, what
):
    with pytest.raises(Refusal) as caught:
        result_of(answer(status, content))
    assert caught.value.code == code
    assert what in caught.value.what
