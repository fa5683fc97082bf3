from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
import time

import pytest

from tests.conftest import wait_until
from tests.link.other_user import needs_root, run_as_other_user
from treetap.debug import message
from treetap.debug.broker import Broker
from treetap.debug.lock import HOLDING, WAITING
from treetap.debug.place import Place
from treetap.debug.record import Former


class FakeCustody:
    """Of a terminal that isn't there."""

    def __init__(self):
        self.former = None
        self.is_in_background = False
        self.is_another_trees = False
        self.refused = 0
        self.is_no_more = False
        self.is_disk_full = False
        self.may_look = threading.Event()
        self.may_look.set()
        self.is_stuck = threading.Event()
        self.done = []

    def is_gone(self):
        return self.is_no_more

    def recover(self):
        self.done.append("recover")

    def may_take(self):
        return not self.is_another_trees

    def take(self, pid, root):
        if self.is_disk_full:
            raise OSError("it can't be written down")
        if self.is_in_background:
            self.refused += 1
            return None
        self.former = Former(1234, [], 99)
        self.done.append("take")
        return self.former

    def is_a_shells(self):
        return False

    def retake(self):
        if not self.may_look.is_set():
            self.is_stuck.set()
            assert self.may_look.wait(20)

    def stay(self):
        self.done.append("stay")

    def forget_typed(self):
        self.done.append("forget typed")

    def give_back(self, pid):
        self.former = None
        self.done.append("give back")


class FakeRecord:
    """Of a broker before, whose holder is at its prompt still."""

    def __init__(self, pid=0):
        self.pid = pid

    def is_held(self):
        return self.pid != 0

    def holder(self):
        return self.pid


class Client:
    def __init__(self, place, label):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        with place._address() as address:
            self.socket.connect(address)
        self.lines = message.Lines()
        self.heard = []
        self.fds = []
        self.label = label

    def say(self, kind, **content):
        self.socket.sendall(message.encode(kind, **content))

    def request(self, **content):
        self.say(message.REQUEST, label=self.label, pid=os.getpid(), **content)
        return self

    def hear(self, *kinds):
        while True:
            for index, heard in enumerate(self.heard):
                if heard["is"] in kinds:
                    del self.heard[: index + 1]
                    return heard
            received, fds, _, _ = socket.recv_fds(self.socket, 65536, 4)
            self.fds += fds
            if not received:
                return None
            self.heard.extend(self.lines.feed(received))

    def channel(self):
        """What came with the last message."""
        made = socket.socket(fileno=self.fds.pop())
        made.settimeout(10)
        return made

    def close(self):
        while self.fds:
            os.close(self.fds.pop())
        self.socket.close()


class Running:
    def __init__(self, folder, name="tree", *, held_by=0):
        self.place = Place(str(folder), name, os.getpid())
        self.custody = FakeCustody()
        self.record = FakeRecord(held_by)
        listener = self.place.listen()
        # A root that has ended: it serves as long as anybody is connected.
        self.first = Client(self.place, "keeps it up")
        self.consoles = []
        self.broker = Broker(listener, self.custody, self.record, 0, 0, 99, self._start_console)
        self._clients = [self.first]
        listener_is_heard = threading.Thread(target=self._serve, args=(listener,))
        self.thread = listener_is_heard
        self.broker._accept()
        self.thread.start()

    def _serve(self, listener):
        self.broker.serve()
        listener.close()

    def _start_console(self, channel, control, term):
        self.consoles.append((channel.dup(), control.dup(), term))
        return 0

    def client(self, label):
        made = Client(self.place, label)
        self._clients.append(made)
        return made

    def close(self):
        for client in self._clients:
            client.close()
        for channel, control, _ in self.consoles:
            channel.close()
            control.close()
        self.thread.join(10)
        assert not self.thread.is_alive(), "it serves on though nobody is there"


@pytest.fixture
def running(tmp_path):
    made = Running(tmp_path)
    yield made
    made.close()


def test_the_first_is_granted_and_the_next_told_its_place(running):
    first, second = running.client("a (1)").request(), running.client("b (2)")
    granted = first.hear(message.GRANTED)
    assert (granted["group"], granted["former"], granted["waiting"]) == (99, 1234, [])
    placed = second.request().hear(message.PLACED)
    assert (placed["place"], placed["holder"]) == (1, "a (1)")
    assert first.hear(message.QUEUE)["waiting"] == ["b (2)"]


def test_the_first_waits_for_another_tree_that_has_the_terminal(running):
    running.custody.is_another_trees = True
    first = running.client("a").request()
    placed = first.hear(message.PLACED)
    assert (placed["place"], placed["holder"]) == (1, "another tree on this terminal")
    assert "take" not in running.custody.done
    running.custody.is_in_background = True
    running.custody.is_another_trees = False  # and its job was suspended, as that tree's was
    wait_until(lambda: running.custody.refused > 1)
    running.custody.is_in_background = False
    assert first.hear(message.GRANTED, message.BACKGROUND)["is"] == message.GRANTED


def test_a_terminal_that_another_job_has_is_not_asked_for_all_the_time(running):
    running.custody.is_in_background = True
    first = running.client("a").request(is_distant=True)
    assert first.hear(message.PLACED)["holder"] == "another job on this terminal"
    start_s, looks = time.monotonic(), running.custody.refused
    wait_until(lambda: running.custody.refused >= looks + 5)
    assert time.monotonic() - start_s > 0.7  # a look costs one at all processes
    running.custody.is_in_background = False
    assert first.hear(message.ANSWERED)


def test_nobody_is_granted_before_the_holder_of_a_dead_broker_is_done(tmp_path):
    running = Running(tmp_path, held_by=1234)
    try:
        first = running.client("a").request()
        assert first.hear(message.PLACED)["holder"] == "who was at the prompt before"
        second = running.client("b").request()
        assert second.hear(message.PLACED)["holder"] == "a"
        second.say(message.LIST)
        standings = second.hear(message.STANDINGS)["standings"]
        assert [(one["label"], one["state"]) for one in standings] == [
            ("(1234)", HOLDING), ("a", WAITING), ("b", WAITING),
        ]  # fmt: skip
        assert running.custody.done == []
        running.record.pid = 0
        assert first.hear(message.GRANTED)
        assert running.custody.done == ["recover", "take"]
        second.say(message.LIST)
        standings = second.hear(message.STANDINGS)["standings"]
        assert [one["label"] for one in standings] == ["a", "b"]
    finally:
        running.close()


def test_a_broker_is_there_as_long_as_the_terminal_is_to_be_given_back(tmp_path):
    running = Running(tmp_path, held_by=1234)
    try:
        running.first.close()
        late = running.client("late")
        late.say(message.LIST)
        assert len(late.hear(message.STANDINGS)["standings"]) == 1
    finally:
        running.record.pid = 0
        running.close()
    assert running.custody.done[0] == "recover"


def test_a_release_with_somebody_waiting_keeps_the_terminal(running):
    first = running.client("a").request()
    first.hear(message.GRANTED)
    second = running.client("b").request()
    second.hear(message.PLACED)
    first.say(message.RELEASE)
    assert first.hear(message.RELEASED)
    assert second.hear(message.GRANTED)
    assert "give back" not in running.custody.done
    second.say(message.RELEASE)
    assert second.hear(message.RELEASED)
    assert running.custody.done[-1] == "give back"


@pytest.mark.parametrize("dies", ["holder", "waiter"])
def test_who_dies_is_out_of_the_way(running, dies):
    first = running.client("a").request()
    first.hear(message.GRANTED)
    second = running.client("b").request()
    second.hear(message.PLACED)
    third = running.client("c").request()
    assert third.hear(message.PLACED)["place"] == 2
    if dies == "holder":
        first.close()
        assert second.hear(message.GRANTED)["waiting"] == ["c"]
    else:
        second.close()
        assert third.hear(message.PLACED)["place"] == 1


#: Asks for the terminal and stays.
PARTY = """
import json, os, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
request = {"is": "request", "label": "x", "pid": os.getpid()}
connection.sendall(json.dumps(request).encode() + b"\\n")
connection.recv(1000)
print("heard", flush=True)
sys.stdin.read()
"""


def test_holder_and_waiters_that_are_killed_together_leave_the_terminal_as_it_was(running):
    command = [sys.executable, "-c", PARTY, "tree.sock"]
    parties = []
    for _ in range(3):
        party = subprocess.Popen(
            command,
            cwd=running.place.directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert party.stdout.readline() == b"heard\n"
        parties.append(party)
    running.custody.may_look.clear()
    assert running.custody.is_stuck.wait(20)
    for party in parties:
        party.kill()
        party.communicate()  # nobody of that pid is left
    running.custody.may_look.set()
    wait_until(lambda: running.custody.done[-1] == "give back")
    assert running.client("a").request().hear(message.GRANTED)


def test_a_turn_that_fails_is_the_fault_of_nobody_else(running):
    holder, waiter = running.client("a").request(), running.client("b")
    holder.hear(message.GRANTED)
    waiter.request().hear(message.PLACED)
    running.custody.is_disk_full = True
    holder.say(message.RELEASE)
    assert holder.hear(message.RELEASED)
    assert waiter.hear(message.GRANTED) is None
    running.custody.is_disk_full = False
    assert holder.request().hear(message.GRANTED)


def test_the_last_holders_death_gives_the_terminal_back(running):
    first = running.client("a").request()
    first.hear(message.GRANTED)
    first.close()
    wait_until(lambda: running.custody.done[-1] == "give back")


def test_a_job_in_the_background_holds_the_lock_and_not_the_terminal(running):
    running.custody.is_in_background = True
    first = running.client("a").request()
    assert first.hear(message.BACKGROUND)
    running.custody.is_in_background = False
    first.say(message.RESUME)
    assert first.hear(message.GRANTED)
    first.say(message.SUSPEND)
    assert first.hear(message.RELEASED)
    assert running.custody.done[-1] == "give back"


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\n",
        b"[]\n",
        b"{}\n",
        b'{"is": 1}\n',
        b"\xff\xfe\n",
        b'{"is": "request"}\n',
        b'{"is": "request", "label": 1, "pid": 1}\n',
        b'{"is": "answer", "label": "x", "id": "x"}\n',
        b"x" * 100_000,
    ],
)
def test_who_talks_nonsense_is_cut_off_and_harms_nobody(running, nonsense):
    holder = running.client("a").request()
    holder.hear(message.GRANTED)
    hostile = running.client("hostile")
    hostile.socket.sendall(nonsense)
    assert hostile.hear("anything") is None
    holder.say(message.RELEASE)
    assert holder.hear(message.RELEASED)


@pytest.mark.parametrize("kind", [message.RELEASE, message.SUSPEND, message.RESUME, message.STAY])
def test_who_does_not_hold_it_changes_nothing(running, kind):
    holder = running.client("a").request()
    holder.hear(message.GRANTED)
    other = running.client("b")
    other.say(kind)
    assert other.request().hear(message.PLACED)
    assert running.custody.done == ["recover", "take"]


def test_the_socket_is_its_users_alone(running):
    status = os.stat(running.place.path("sock"))
    assert stat.S_IMODE(status.st_mode) == 0o600


@needs_root
def test_a_process_of_another_user_is_refused(tmp_path):
    tmp_path.chmod(0o755)
    running = Running(tmp_path)
    try:
        os.chmod(running.place.path("sock"), 0o666)  # as if the directory's mode didn't stop it
        descriptor = os.open(tmp_path, os.O_RDONLY)

        def attack():
            with socket.socket(socket.AF_UNIX) as hostile:
                hostile.settimeout(10)
                hostile.connect(f"/proc/self/fd/{descriptor}/tree.sock")
                try:
                    hostile.sendall(message.encode(message.REQUEST, label="x", pid=1))
                    assert hostile.recv(100) == b""
                except (BrokenPipeError, ConnectionResetError):
                    pass

        with run_as_other_user(attack):
            pass
        os.close(descriptor)
        assert "take" not in running.custody.done
    finally:
        running.close()
