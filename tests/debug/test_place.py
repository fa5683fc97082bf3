from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

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


def test_a_tree_has_its_place_and_the_session_is_one_where_there_is_no_tree(home, monkeypatch):
    assert own_place().name == f"session-{os.getsid(0)}"
    monkeypatch.setenv("TREETAP_TREE", "123-abc")
    assert own_place().name == "123-abc"
    monkeypatch.setenv("TREETAP_TREE", "../../etc")
    assert own_place().name == f"session-{os.getsid(0)}"


def test_a_home_that_cannot_be_is_said_with_its_way_out(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TREETAP_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(PauseError) as caught:
        own_place()
    assert caught.value.slug == "pause-no-broker"


def test_a_broker_that_cannot_start_is_said(home):
    """It needs a terminal, which a session of its own hasn't got."""
    program = (
        "from treetap.debug.place import own_place\n"
        "try: own_place().connect()\n"
        "except Exception as exc: print(exc.slug)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, start_new_session=True,
    )  # fmt: skip
    assert done.stdout == "pause-no-broker\n"


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
