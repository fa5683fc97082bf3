from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import pytest

from tests.conftest import wait_until
from tests.debug.test_broker import Client
from treetap.debug import message
from treetap.debug.place import Place

_PARTIES = 80
#: Starts a broker with few descriptors.
STARTER = """
import resource, sys
from treetap.debug.place import Place
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard if sys.argv[3] == "soft" else 40))
Place(sys.argv[1], "tree", int(sys.argv[2])).connect().close()
"""


@pytest.fixture
def place(tmp_path):
    """Of a tree whose root sleeps."""
    root = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    made = Place(str(tmp_path), "tree", root.pid)
    yield made
    root.communicate()
    wait_until(lambda: not os.path.exists(made.path("sock")))


def _start(place, limit):
    command = [sys.executable, "-c", STARTER, place.directory, str(place.root), limit]
    subprocess.run(command, check=True, timeout=60)


def _asks(client):
    client.say(message.LIST)
    return client.hear(message.STANDINGS) is not None


def test_more_parties_come_than_a_program_may_have_files_open(place):
    _start(place, "soft")
    with contextlib.ExitStack() as stack:
        for number in range(_PARTIES):
            client = Client(place, str(number))
            stack.callback(client.close)
            assert _asks(client)


def test_a_broker_without_a_descriptor_left_serves_those_who_have_come_and_then_the_others(place):
    _start(place, "hard")
    with contextlib.ExitStack() as stack:
        first = Client(place, "first")
        stack.callback(first.close)
        assert _asks(first)
        with contextlib.ExitStack() as crowd:
            for number in range(_PARTIES):
                crowd.callback(
                    Client(place, str(number)).close
                )  # it connects before it is accepted
            assert _asks(first)
        late = Client(place, "late")
        stack.callback(late.close)
        assert _asks(late)
        assert _asks(first)
