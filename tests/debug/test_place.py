from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from tests.conftest import wait_until
from treetap.debug import kinship, message
from treetap.debug.place import Place, own_place
from treetap.errors import PauseError


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TREETAP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TREETAP_TREE", raising=False)
    return tmp_path / "home"


def test_the_directory_is_its_users_alone(home):
    place = own_place()
    assert place.directory == str(home / "run" / "debug")
    assert stat.S_IMODE(os.stat(place.directory).st_mode) == 0o700


PLACES = """
import os
from tests.conftest import wait_until
from treetap.debug import kinship, message
from treetap.debug.place import own_place
print(own_place().name.replace(str(os.getsid(0)), "SID"))
for tree in ("123-abc", "../../etc"):
    os.environ["TREETAP_TREE"] = tree
    print(own_place().name.replace(str(os.getsid(0)), "SID"))
"""


def test_a_tree_has_its_place_and_the_session_is_one_where_there_is_no_tree(home):
    done = subprocess.run(
        [sys.executable, "-c", PLACES],
        capture_output=True, text=True, check=True, start_new_session=True,
    )  # fmt: skip
    assert done.stdout.split() == ["session-SID.x", "123-abc.x", "session-SID.x"]


ON_A_TERMINAL = f"""
import fcntl, os, termios
os.setsid()
fcntl.ioctl(os.openpty()[1], termios.TIOCSCTTY, 0)
{PLACES}
os.environ["TREETAP_TREE"] = ROOT
print(own_place().name.replace(str(os.getsid(0)), "SID"))
"""


def test_a_terminal_that_is_not_the_roots_has_a_place_of_its_own(home):
    root = kinship.read_process(os.getpid())
    started_ns = root.start_ticks * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))
    tree = f"{root.pid}-{started_ns:x}"
    done = subprocess.run(
        [sys.executable, "-c", ON_A_TERMINAL.replace("ROOT", repr(tree))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["session-SID", "123-abc", "session-SID", f"{tree}.tSID"]


def test_a_home_that_cannot_be_is_said_with_its_way_out(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TREETAP_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(PauseError) as caught:
        own_place()
    assert caught.value.slug == "pause-no-broker"
    assert str(tmp_path / "file" / "home") in caught.value.what
    assert "TREETAP_HOME" in caught.value.hint


def test_a_broker_that_cannot_start_is_said(home):
    place = own_place()
    os.makedirs(place.path("sock") + "/where-its-socket-would-be")
    with pytest.raises(PauseError) as caught:
        place.connect()
    assert caught.value.slug == "pause-no-broker"


def test_a_path_that_is_too_long_for_a_socket_does(tmp_path):
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    place = Place(str(directory), "tree", os.getpid())
    with place.listen(), place.try_to_connect() as connection:
        assert connection is not None


def test_nobody_listens_where_nobody_is(tmp_path):
    place = Place(str(tmp_path), "tree", os.getpid())
    assert place.try_to_connect() is None
    place.listen().close()
    assert place.try_to_connect() is None


def test_a_broker_of_a_tree_whose_root_has_ended_serves_who_has_started_it(home):
    ended = subprocess.Popen(["true"])
    ended.wait()
    place = own_place()._replace(root=ended.pid)
    with place.connect() as connection:
        connection.settimeout(20)
        connection.sendall(message.encode(message.LIST))
        assert message.STANDINGS.encode() in connection.recv(1000)
    wait_until(lambda: not os.path.exists(place.path("sock")), 20)


def test_a_child_that_is_forked_meanwhile_does_not_keep_others_from_a_broker(home):
    place = own_place()
    reader, writer = os.pipe()
    with place.alone():
        child = os.fork()
        if child == 0:
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
    with place.alone():  # would wait for ever
        os.close(writer)
        os.waitpid(child, 0)
    os.close(reader)


def test_a_broker_that_is_killed_before_it_listens_is_started_again(home, monkeypatch):
    counted = home / "count"
    flaky = home / "python"
    home.mkdir(mode=0o700)
    flaky.write_text(
        f"#!/bin/sh\necho >> {counted}\n"
        f'[ $(wc -l < {counted}) -gt 2 ] && exec {sys.executable} "$@"\nkill -9 $$\n'
    )
    flaky.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(flaky))
    child = os.fork()
    if child == 0:  # a root of its own, for the broker ends with it
        own_place()._replace(root=os.getpid()).connect().close()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert counted.read_text().count("\n") == 3


def test_a_broker_starts_in_a_process_group_of_its_own_for_ctrl_c_is_not_meant_for_it(
    home, monkeypatch
):
    seen = home / "group"
    home.mkdir(mode=0o700)
    teller = home / "python"
    teller.write_text(f"#!/bin/sh\ncut -d' ' -f5 /proc/$$/stat > {seen}\nexit 1\n")
    teller.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(teller))
    with pytest.raises(PauseError):
        own_place().connect()
    assert int(seen.read_text()) != os.getpgid(0)


COUNT = """
import pathlib, sys
from treetap.debug.place import Place
place, counter = Place(sys.argv[1], "1-a", 0), pathlib.Path(sys.argv[2])
for _ in range(200):
    with place.alone():
        counter.write_text(str(int(counter.read_text()) + 1))
"""


def test_one_is_alone_though_the_locks_file_goes_each_time(tmp_path):
    directory, counter = tmp_path / "debug", tmp_path / "counter"
    directory.mkdir()
    counter.write_text("0")
    command = [sys.executable, "-c", COUNT, str(directory), str(counter)]
    counting = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in counting] == [0, 0, 0]
    assert counter.read_text() == "600"
    assert os.listdir(directory) == []


def test_a_tree_that_has_ended_leaves_no_file_nor_does_a_broker_that_was_ended_by_a_signal(home):
    place = own_place()
    for name in ("4711-abc", "session-4711.x"):
        place._replace(name=name).listen().close()
        open(f"{place.directory}/{name}.lock", "w").close()
    os.unlink(f"{place.directory}/4711-abc.sock")
    open(f"{place.directory}/terminals.lock", "w").close()
    child = os.fork()
    if child == 0:  # a root of its own, for the broker ends with it
        own_place()._replace(root=os.getpid()).connect().close()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    left = {"session-4711.x.lock", "session-4711.x.sock", "terminals.lock"}
    wait_until(lambda: set(os.listdir(place.directory)) == left, 20)
