"""A daemon, a program that it observes, and an agent that speaks to it by the SDK's real client."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from anyio.from_thread import start_blocking_portal
from mcp import Client

from tests.running_daemon import running_daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anyio.from_thread import BlockingPortal

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
    """Calls tools, all in one session."""

    def __init__(self, url: str, portal: BlockingPortal, client: Client) -> None:
        self.url = url
        self._portal = portal
        self._client = client

    def call(self, tool: str, **arguments: Any) -> Answer:
        result = self._portal.call(self._client.call_tool, tool, arguments)
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


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A daemon, and a program that sleeps until somebody wakes it."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    program = folder / "mill.py"
    program.write_text(PROGRAM)
    with (
        running_daemon(home) as running,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Client(f"{running.url}/mcp")) as client,
    ):
        process = subprocess.Popen(
            [sys.executable, str(program)],
            env={**os.environ, "TREETAP_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout.readline() == "up\n"
            yield Stage(home, running, Agent(running.url, portal, client), program, process.pid)
        finally:
            process.kill()
            process.wait(20)
            process.stdout.close()
