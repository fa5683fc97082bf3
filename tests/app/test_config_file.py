"""Each key of the file's tables has its effect on a daemon that runs."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import httpx
import pytest

from tests.api.test_guard import ask, authority
from tests.conftest import wait_until
from tests.running_daemon import identity
from treetap.client import DaemonClient, find_daemon
from treetap.config.daemon import KEYS
from treetap.errors import LinkError
from treetap.link.connection import LinkConnection

FIRST = """
name = "shop"

[daemon]
host = "127.0.0.2"
port = {port}
log_level = "error"

[store]
url = "sqlite:///{home}/elsewhere.db"
max_age_days = 3
max_size_mib = 20

[link]
handshake_timeout_s = 0.2
max_unsent_mib = 0.5

[stream]
heartbeat_s = 0.05
"""
SECOND = """
[daemon]
host = "127.0.0.2"
port = {port}
allowed_hosts = ["tap.internal"]
allowed_origins = ["http://localhost:3000"]
open_paths = ["/health"]
log_level = "info"

[store]
url = "sqlite:///{home}/another.db"
max_age_days = 4
max_size_mib = 30

[rate_limit]
per_second = 0.001
burst = 5
exempt_loopback = false

[link]
max_unsent_mib = 1

[stream]
heartbeat_s = 3000
"""


class Running:
    """A daemon as a process, with the file ``FIRST``."""

    def __init__(self, home, port: int) -> None:
        self.home = home
        self.port = port
        self.write(FIRST)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "treetap.app", "run"], stderr=subprocess.PIPE, text=True
        )
        try:
            self.url = wait_until(self._found, 100)
        except BaseException:
            self.process.kill()
            self.process.communicate()
            raise

    def write(self, text: str) -> None:
        (self.home / "config.toml").write_text(text.format(port=self.port, home=self.home))

    def _found(self) -> str | None:
        if self.process.poll() is not None:
            raise ChildProcessError(self.process.stderr.read())
        return find_daemon(self.home)

    def log(self) -> str:
        path = self.home / "daemon.log"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def running(home):
    for attempt in range(10):
        # Nobody holds it now; somebody may in a moment.
        with socket.create_server(("127.0.0.2", 0)) as free:
            port = free.getsockname()[1]
        try:
            running = Running(home, port)
            break
        except ChildProcessError as exc:
            assert "daemon-port-busy" in str(exc)
            assert attempt < 9
    yield running
    running.process.send_signal(signal.SIGTERM)
    assert running.process.communicate(timeout=100)[1] == ""


def test_what_the_file_says_holds_and_a_reload_changes_what_can_be_changed(running, home):
    assert running.url == f"http://127.0.0.2:{running.port}"
    with DaemonClient(running.url) as client:
        found = client.status()
        assert found["link"]["host"] == "127.0.0.2"
        assert (home / "elsewhere.db").exists()
        assert not (home / "treetap.db").exists()
        assert (found["store"]["max_age_s"], found["store"]["max_bytes"]) == (3 * 86400, 20 * 2**20)
        began = time.monotonic()
        with socket.create_connection((found["link"]["host"], found["link"]["port"])) as silent:
            silent.settimeout(30)
            while silent.recv(65536):
                pass
            # The default is 5 s, and it is told why it is over.
            assert 0.2 <= time.monotonic() - began
        with httpx.stream(
            "GET", f"{running.url}/api/v2/events/stream", trust_env=False, timeout=60
        ) as stream:
            for chunk in stream.iter_bytes():
                if b": heartbeat" in chunk:
                    break
        assert running.log() == ""

        running.write(SECOND)
        changed = client.reload_config()
        assert set(changed["applied"]) == {
            "daemon.allowed_hosts",
            "daemon.allowed_origins",
            "daemon.log_level",
            "store.max_age_days",
            "store.max_size_mib",
            "rate_limit.per_second",
            "rate_limit.burst",
            "rate_limit.exempt_loopback",
            "stream.heartbeat_s",
        }
        assert set(changed["after_restart"]) == {
            "store.url",
            "link.handshake_timeout_s",
            "link.max_unsent_mib",
        }
        found = client.status()
        assert (found["store"]["max_age_s"], found["store"]["max_bytes"]) == (4 * 86400, 30 * 2**20)
        assert "settings changed" in running.log()
        wait_until(lambda: can_connect(found["link"]))
        # One of five is gone.
        statuses = [ask(running, "Host: tap.internal") for _ in range(5)]
        assert statuses == [200, 200, 200, 200, 429]


def can_connect(endpoint) -> bool:
    """Whether a node can; on a busy machine not always in the time that ``FIRST`` leaves for a hello."""
    with suppress(LinkError):
        LinkConnection.open(endpoint, identity()).close()
        return True
    return False


def test_every_key_that_a_reload_takes_is_hot_and_no_other(running):
    with DaemonClient(running.url) as client:
        settings = {each["key"]: each for each in client.config()["settings"]}
    assert set(settings) == set(KEYS)
    assert {key for key, each in settings.items() if each["needs_restart"]} == {
        key for key, about in KEYS.items() if not about.is_hot
    }
    assert settings["daemon.host"] == {
        "key": "daemon.host",
        "value": "127.0.0.2",
        "origin": "config.toml",
        "needs_restart": True,
    }
    assert settings["rate_limit.burst"]["origin"] == "default"
    assert authority(running) == f"127.0.0.2:{running.port}"
