from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

import pytest

from tests.conftest import wait_until
from tests.debug.test_broker import Running
from treetap.debug import message
from treetap.debug.place import Place
from treetap.debug.standing import HOLDING, WAITING, holders, trees_with_prompts


@pytest.fixture
def directory(home):
    made = home / "run" / "debug"
    made.mkdir(parents=True, mode=0o700)
    return made


@pytest.fixture
def running(directory):
    made = Running(directory)
    yield made
    made.close()


def test_the_holder_comes_first_and_then_the_queue_in_its_order(running):
    parties = [running.client(f"{name} (7)") for name in "abc"]
    for party in parties:
        party.request().hear(message.GRANTED, message.PLACED)
    found = holders("tree")
    assert [one.name for one in found] == ["a", "b", "c"]
    assert [one.state for one in found] == [HOLDING, WAITING, WAITING]
    assert [one.place for one in found] == [0, 1, 2]
    assert {one.pid for one in found} == {os.getpid()}
    assert {one.tree for one in found} == {"tree"}
    assert all(0 <= one.since_s < 20 for one in found)
    parties[0].close()
    wait_until(lambda: [one.name for one in holders("tree")] == ["b", "c"])
    assert [one.name for one in trees_with_prompts()["tree"]] == ["b", "c"]


def test_a_broker_whose_terminal_nobody_wants_names_nobody(running):
    assert holders("tree") == []
    assert trees_with_prompts() == {}


def test_a_tree_is_found_by_its_id_by_its_roots_pid_and_as_ones_own(directory, monkeypatch):
    running = [Running(directory, name) for name in ("41-abc", "41-abc.t7", "42-abc")]
    try:
        for one in running:
            one.client(one.place.name).request().hear(message.GRANTED)
        assert {one.label for one in holders("41-abc")} == {"41-abc", "41-abc.t7"}
        assert {one.broker for one in holders(41)} == {"41-abc", "41-abc.t7"}
        assert [one.tree for one in holders("42-abc")] == ["42-abc"]
        assert holders("41") == holders(4) == holders("43-abc") == []
        monkeypatch.setenv("TREETAP_TREE", "42-abc")
        assert [one.tree for one in holders()] == ["42-abc"]
        assert sorted(trees_with_prompts()) == ["41-abc", "42-abc"]
    finally:
        for one in running:
            one.close()


def test_where_nobody_has_paused_nothing_is_made_and_nobody_started(home):
    assert holders() == holders("tree") == []
    assert list(home.iterdir()) == []


def test_a_broker_that_is_dead_or_silent_is_not_waited_for(directory):
    Place(str(directory), "dead", 0).listen().close()
    silent = Place(str(directory), "silent", 0).listen()
    assert holders("dead") == []
    assert holders("silent", timeout_s=0.05) == []
    silent.close()


def test_a_holder_is_known_though_its_broker_was_killed_or_is_stopped(directory):
    place = Place(str(directory), "41-abc", 0)
    place.listen().close()
    program = (
        "import sys; from treetap.debug.record import Record\n"
        "record = Record(sys.argv[1]); record.hold(); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, place.path("held")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout.readline() == "held\n"
    assert [(one.pid, one.state) for one in holders(41)] == [(holder.pid, HOLDING)]
    stopped = place.listen()
    found = holders(41, timeout_s=0.05)
    assert [(one.pid, one.state) for one in found] == [(holder.pid, HOLDING)]
    stopped.close()
    holder.communicate()
    assert holders(41) == []


def test_a_broker_that_talks_nonsense_is_none(directory):
    listener = Place(str(directory), "mad", 0).listen()
    answers = [
        b"\xff\n",
        b"[]\n",
        b'{"is":"standings"}\n',
        b'{"is":"standings","standings":[{}]}\n',
    ]

    def answer():
        for one in answers:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(one)
                connection.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=answer)
    thread.start()
    for _ in answers:
        assert holders("mad", timeout_s=20) == []
    thread.join(20)
    listener.close()


def test_who_only_asks_where_nobody_pauses_loads_little(home):
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from treetap.debug.standing import holders\n"
        "holders('tree')\n"
        "print(sorted({'json', 'subprocess', 'socket', 'pdb', 'fcntl'} & set(sys.modules)))"
    )
    source = os.path.join(os.path.dirname(__file__), "..", "..", "src")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, source],
        capture_output=True, text=True, check=True, env={"TREETAP_HOME": str(home)},
    )  # fmt: skip
    assert done.stdout == "[]\n"
