"""One daemon, one program that it observes, and agents that speak to it by the SDK's real client."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from mcp import Client

from tests.running_daemon import running_daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcp.types import CallToolResult

    from tests.running_daemon import RunningDaemon

#: Grinds for ever; line 6 has the total, and line 12 is not executed by anybody.
PROGRAM = """\
import sys, time, treetap
treetap.init(name="mill")

def grind(number, grain):
    total = number * 2
    note = f"{grain} {total}"
    return note

def idle():
    return 1

# no code here
print("up", flush=True)
number = 0
while True:
    number += 1
    grind(number, "rye")
    time.sleep(0.005)
"""


class Answer(NamedTuple):
    """Attributes:
    is_error: As the protocol says it.
    text: As it came.
    """

    is_error: bool
    text: str

    @property
    def content(self) -> dict[str, Any]:
        return json.loads(self.text)


class Agent:
    """Calls tools, each in a session of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, tool: str, **arguments: Any) -> Answer:
        async def ask() -> CallToolResult:
            async with Client(f"{self.url}/mcp") as client:
                return await client.call_tool(tool, arguments)

        result = asyncio.run(ask())
        (block,) = result.content
        return Answer(bool(result.is_error), block.text)

    def get(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The content of an answer that is no error."""
        answer = self.call(tool, **arguments)
        assert not answer.is_error, answer.text
        return answer.content

    def refused(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The error of an answer that is one."""
        answer = self.call(tool, **arguments)
        assert answer.is_error, answer.text
        return answer.content["error"]


class Stage(NamedTuple):
    home: Path
    running: RunningDaemon
    agent: Agent
    program: Path
    pid: int


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A daemon, and a program that sleeps until somebody wakes it."""
    home = tmp_path_factory.mktemp("mcp") / "home"
    home.mkdir(mode=0o700)
    program = home.parent / "mill.py"
    program.write_text(PROGRAM)
    with running_daemon(home) as running:
        process = subprocess.Popen(
            [sys.executable, str(program)],
            env={**os.environ, "TREETAP_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout.readline() == "up\n"
            yield Stage(home, running, Agent(running.url), program, process.pid)
        finally:
            process.kill()
            process.wait(20)
            process.stdout.close()


@pytest.fixture
def agent(stage: Stage) -> Agent:
    return stage.agent
