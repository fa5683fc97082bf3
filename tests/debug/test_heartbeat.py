from __future__ import annotations

import os
import threading

import pytest

from tests.conftest import wait_until
from treetap.debug.heartbeat import Heartbeat

base = pytest.importorskip("gunicorn.workers.base")


class Record:
    """Stands for the file that a worker and its master share."""

    def __init__(self):
        self.times = 0

    def notify(self):
        self.times += 1


class Worker(base.Worker):
    def __init__(self):
        self.tmp = Record()
        self.heartbeat = Heartbeat()

    def handle(self, act):
        return Application().answer(act)


class Application:
    @property
    def __class__(self):
        raise RuntimeError("nobody asks an object of the user's")

    def answer(self, act):
        return act()


def beating():
    return [one for one in threading.enumerate() if one.name == "treetap heartbeat"]


def test_a_worker_is_told_alive_until_the_end(monkeypatch):
    worker = Worker()
    worker.handle(worker.heartbeat.begin)
    wait_until(lambda: worker.tmp.times >= 2)
    worker.heartbeat.end()
    worker.heartbeat.end()
    wait_until(lambda: not beating())
    worker.handle(worker.heartbeat.begin)
    wait_until(beating)
    worker.heartbeat.end()
    wait_until(lambda: not beating())


def test_a_file_that_is_closed_ends_it():
    worker = Worker()
    worker.tmp = None
    worker.handle(worker.heartbeat.begin)
    wait_until(lambda: not beating())


def test_who_works_for_nobody_has_none():
    heartbeat = Heartbeat()
    heartbeat.begin()
    assert not beating()
    heartbeat.end()


def test_a_forked_child_leaves_it_to_its_parent():
    worker = Worker()
    worker.handle(worker.heartbeat.begin)
    child = os.fork()
    if child == 0:
        worker.heartbeat.drop()
        worker.heartbeat.end()
        os._exit(len(beating()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert beating()
    worker.heartbeat.end()
    wait_until(lambda: not beating())
