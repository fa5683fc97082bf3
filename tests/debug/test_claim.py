"""A holder's side, in a process of its own on a terminal; the broker is the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import wait_until
from treetap.debug import message
from treetap.debug.place import Place
from treetap.debug.record import Record

SOURCE = Path(__file__).resolve().parents[2] / "src"
TIMEOUT_S = 60

#: Leads a session with a terminal; its child, in a group of its own, makes a claim.
PARTY = """
import fcntl, os, signal, sys, termios
from treetap.debug.claim import Claim
from treetap.debug.patience import Patience
from treetap.debug.place import Place

class TooLong(Exception):
    pass

def stop(*_):
    raise TooLong("the program's own limit")

master, slave = os.openpty()
os.setsid()
fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
if child := os.fork():
    os.waitpid(child, 0)
    sys.exit()
os.setpgid(0, 0)
signal.signal(signal.SIGALRM, stop)
place = Place(sys.argv[1], "tree", os.getpid())
patience = Patience(0, sys.argv[1], "me", os.getpid(), print)
claim = Claim(place, "me", lambda: None, patience)
try:
    claim.acquire()
    claim.release()
    print("released")
except Exception as exc:
    print(type(exc).__name__, exc)
print("at home" if os.getpgid(0) == os.getpid() else "in the broker's group")
"""


class Broker:
    """By hand."""

    def __init__(self, folder):
        self.place = Place(str(folder), "tree", os.getpid())
        self.listener = self.place.listen()
        self.listener.settimeout(TIMEOUT_S)
        self.party = subprocess.Popen(
            [sys.executable, "-c", PARTY, str(folder)],
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.group = self.party.pid
        self.connection = None
        self.pid = 0
        self.lines = message.Lines()

    def grant(self):
        """The terminal; its group is that of the session's leader."""
        if self.connection is not None:
            self.connection.close()
        self.connection, _ = self.listener.accept()
        self.connection.settimeout(TIMEOUT_S)
        self.pid = self.hear(message.REQUEST)["pid"]
        self.say(message.GRANTED, group=self.group, former=self.pid, waiting=[])

    def hear(self, kind):
        while True:
            for heard in self.lines.feed(self.connection.recv(65536)):
                assert heard["is"] == kind
                return heard

    def say(self, kind, **content):
        self.connection.sendall(message.encode(kind, **content))

    def last_words(self):
        return self.party.communicate(timeout=TIMEOUT_S)[0].splitlines()

    def close(self):
        self.party.kill()
        self.party.communicate()
        self.listener.close()
        if self.connection is not None:
            self.connection.close()


@pytest.fixture
def broker(tmp_path):
    made = Broker(tmp_path)
    yield made
    made.close()


def test_a_limit_of_the_programs_that_comes_while_it_enters_leaves_it_at_home(broker):
    record = Record(broker.place.path("held"))
    record.hold()  # it is waited for
    try:
        broker.grant()
        wait_until(lambda: os.getpgid(broker.pid) == broker.group)
        os.kill(broker.pid, signal.SIGALRM)
        assert broker.last_words() == ["TooLong the program's own limit", "at home"]
    finally:
        record.let_go()


def test_who_cannot_say_that_it_holds_is_at_home_after_each_try(broker):
    os.mkdir(broker.place.path("held"))
    for _ in range(6):
        broker.grant()
    *why, where = broker.last_words()
    assert "[pause-no-broker]" in why[-1]
    assert where == "at home"


def test_a_broker_that_talks_nonsense_is_as_good_as_dead(broker):
    broker.grant()
    broker.hear(message.RELEASE)
    broker.connection.sendall(b"nonsense\n")
    assert broker.last_words() == ["released", "at home"]
