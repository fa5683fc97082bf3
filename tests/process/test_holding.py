from __future__ import annotations

import subprocess
import sys

import pytest
import trio
import trio.testing

from tests.fake_broker import FakeBroker
from treetap.process.holding import until_free

#: It has a child of its own, says its pid, and ends with its stdin.
PROGRAM = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
try:
    input()
except EOFError:
    pass
child.communicate(b"\\n")
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TREETAP_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def broker(home):
    made = FakeBroker(home, "4711-abc")
    yield made
    made.close()


async def program() -> tuple[trio.Process, int]:
    process = await trio.lowlevel.open_process(
        [sys.executable, "-S", "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    return process, int(await process.stdout.receive_some(100))


async def end(process: trio.Process) -> None:
    assert process.stdin is not None
    await process.stdin.aclose()
    await process.wait()


@trio.testing.trio_test
async def test_where_no_broker_has_been_nobody_is_waited_for(home):
    process, _child = await program()
    await until_free(process, pytest.fail)
    await end(process)


@trio.testing.trio_test
async def test_a_program_is_waited_for_while_it_or_a_child_of_it_is_at_a_prompt(broker):
    process, child = await program()
    said = []
    for pid in (process.pid, child):
        broker.hold(pid)
        async with trio.open_nursery() as tasks:

            async def release() -> None:
                while not said:
                    await trio.sleep(0.01)
                broker.hold()

            tasks.start_soon(release)
            await until_free(process, said.append)
        assert said == [f"p0 ({pid})"]
        said.clear()
    await end(process)


@trio.testing.trio_test
async def test_others_at_a_prompt_are_no_concern(broker):
    process, _child = await program()
    broker.hold(1, 2)
    await until_free(process, pytest.fail)
    await end(process)


@trio.testing.trio_test
async def test_the_end_of_the_program_and_a_limit_end_the_waiting(broker, monkeypatch):
    process, _child = await program()
    broker.hold(process.pid)
    monkeypatch.setenv("TREETAP_MAX_HOLD_S", "0.1")
    await until_free(process, lambda _by: None)
    monkeypatch.setenv("TREETAP_MAX_HOLD_S", "0")
    async with trio.open_nursery() as tasks:
        tasks.start_soon(until_free, process, lambda _by: None)
        await end(process)
