from __future__ import annotations

import os
import signal
import sys

import pytest
import trio
from trio.testing import trio_test

from tests.process.programs import is_alive, python, until
from treetap.process import killing
from treetap.process.killing import Quarry

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PARENT = """
import subprocess, sys, time
child = subprocess.Popen(['sleep', '60'])
print(child.pid)
time.sleep(60)
"""


async def parent_and_child(**options) -> tuple[trio.Process, int]:
    import subprocess

    process = await trio.lowlevel.open_process(python(PARENT), stdout=subprocess.PIPE, **options)
    assert process.stdout is not None
    said = b""
    while not said.endswith(b"\n"):
        said += await process.stdout.receive_some()
    await process.stdout.aclose()
    return process, int(said)


@on_linux
@trio_test
async def test_who_was_seen_as_a_descendant_stays_one_without_its_parent():
    process, child = await parent_and_child()
    quarry = Quarry(process, leads_group=False, with_descendants=True)
    assert [entry.pid for entry in quarry.others()] == [child]
    process.kill()
    await process.wait()
    assert quarry.is_alive()
    await killing.end(quarry, process, 5)
    assert not is_alive(child)


@on_linux
@trio_test
async def test_a_group_is_left_alone_once_nobody_is_in_it():
    process, child = await parent_and_child(start_new_session=True)
    quarry = Quarry(process, leads_group=True, with_descendants=False)
    assert [entry.pid for entry in quarry.others()] == [child]
    quarry.signal(signal.SIGKILL)
    await process.wait()
    await until(lambda: not quarry.others())
    assert not quarry.has_others


@on_linux
@trio_test
async def test_who_is_in_the_group_is_told_once_though_the_program_dies_of_it_at_once(monkeypatch):
    process, child = await parent_and_child(start_new_session=True)
    killpg, sent = os.killpg, []

    def killpg_to_the_end(pid: int, number: int) -> None:
        killpg(pid, number)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    monkeypatch.setattr(os, "killpg", killpg_to_the_end)
    quarry = Quarry(
        process,
        leads_group=True,
        with_descendants=True,
        send=lambda entry, number: sent.append(entry.pid),
    )
    quarry.signal(signal.SIGTERM)
    assert process.returncode == -signal.SIGTERM
    await until(lambda: not is_alive(child))
    assert sent == []


@on_linux
@trio_test
async def test_a_process_of_somebody_else_is_not_waited_for():
    process, child = await parent_and_child()

    def refuse(entry, number):
        raise PermissionError

    quarry = Quarry(process, leads_group=False, with_descendants=True, send=refuse)
    await killing.end(quarry, process, 5)
    assert process.returncode == -signal.SIGTERM
    assert quarry.refused == {child}
    os.kill(child, signal.SIGKILL)


@trio_test
async def test_one_that_has_ended_is_only_reaped():
    process = await trio.lowlevel.open_process(["true"])
    await process.wait()
    await killing.end(Quarry(process, leads_group=False, with_descendants=False), process, 5)
    assert process.returncode == 0
