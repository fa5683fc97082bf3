from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import wait_until
from tests.process.programs import is_alive
from treetap.process.family import (
    Entry,
    _processes_of_ps,
    descendants,
    entry_of,
    parse_ps,
    processes,
    send,
)

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def tree(*pairs: tuple[int, int]) -> dict[int, Entry]:
    return {pid: Entry(pid, parent, 0, 1) for pid, parent in pairs}


def test_descendants_are_found_at_any_depth():
    among = tree((1, 0), (2, 1), (3, 2), (4, 3), (5, 1), (6, 5))
    assert {entry.pid for entry in descendants([2], among)} == {3, 4}
    assert {entry.pid for entry in descendants([2, 5], among)} == {3, 4, 6}
    assert descendants([9], among) == []


def test_a_loop_of_parents_which_recycled_pids_can_make_ends():
    assert {entry.pid for entry in descendants([1], tree((1, 3), (2, 1), (3, 2)))} == {2, 3}


def test_all_live_processes_are_found_with_their_parents():
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as child:
        try:
            found = processes()[child.pid]
            assert found.parent == os.getpid()
            wait_until(lambda: processes()[child.pid].group == child.pid)
            assert found.pid in {entry.pid for entry in descendants([os.getpid()], processes())}
        finally:
            child.kill()
            child.wait()
    assert child.pid not in processes()


def test_what_ps_prints_is_understood_without_zombies():
    text = "    1     0     1 Ss\n   20     1    20 S+\n   21    20    20 Z\n"
    assert parse_ps(text) == {1: Entry(1, 0, 1, 0), 20: Entry(20, 1, 20, 0)}


def test_without_ps_nobody_is_found(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert _processes_of_ps() == {}


@on_linux
def test_a_zombie_is_not_alive():
    child = subprocess.Popen(["true"])
    wait_until(lambda: entry_of(child.pid) is None)
    child.wait()


@on_linux
def test_a_signal_reaches_the_process_that_was_meant_and_no_other():
    with subprocess.Popen(["sleep", "60"]) as child:
        entry = entry_of(child.pid)
        assert entry is not None
        send(entry._replace(start=entry.start - 1), signal.SIGKILL)  # it had this pid before
        assert is_alive(child.pid)
        send(entry, signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
    send(entry, signal.SIGKILL)  # it has gone: nothing to do


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.EMFILE])
def test_where_no_handle_is_to_be_had_the_pid_has_to_do(monkeypatch, number):
    def refuse(pid: int) -> int:
        raise OSError(number, "a sandbox")

    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            entry = entry_of(child.pid) or Entry(child.pid, os.getpid(), 0, 1)
            send(entry, signal.SIGTERM)
            assert child.wait(10) == -signal.SIGTERM
        finally:
            child.kill()
    send(entry, signal.SIGTERM)  # it has gone: nothing to do


def test_without_a_start_time_the_pid_has_to_do():
    with subprocess.Popen(["sleep", "60"]) as child:
        send(Entry(child.pid, os.getpid(), 0, 0), signal.SIGTERM)
        assert child.wait(10) == -signal.SIGTERM
