from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.conftest import wait_until
from treetap.client import DaemonClient, ensure_daemon, find_daemon, start
from treetap.client.start import exit_code, start_daemon
from treetap.errors import DaemonError

#: Of a daemon to start, or to answer, on a machine that is busy with other things.
PATIENCE_S = 100.0
#: The same in a process of its own, which says the URL.
STARTER = f"""
import sys
from treetap.client import ensure_daemon, start
start.START_TIMEOUT_S = start._HEALTH_TIMEOUT_S = {PATIENCE_S}
print(ensure_daemon(sys.argv[1], port=0))
"""


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    monkeypatch.setattr(start, "START_TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr(start, "_HEALTH_TIMEOUT_S", PATIENCE_S)


@pytest.fixture
def started(home):
    """Starts a daemon of this home, and ends it."""

    def start(**settings) -> str:
        return ensure_daemon(home, port=0, **settings)

    yield start
    url = find_daemon(home)
    if url:
        pid = pid_of(url)
        with DaemonClient(url) as client:
            client.shutdown()
        wait_until(lambda: not is_alive(pid))


def pid_of(url: str) -> int:
    with DaemonClient(url) as client:
        return client.health()["treetap"]["pid"]


def is_alive(pid: int) -> bool:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_where_there_is_none_one_is_started_and_found_again(home, started):
    assert find_daemon(home) is None
    url = started()
    assert find_daemon(home) == url == started()


def test_one_that_runs_and_does_not_answer_is_told_from_none(home, started, monkeypatch):
    pid = pid_of(started())
    os.kill(pid, signal.SIGSTOP)
    try:
        with monkeypatch.context() as hurried:
            hurried.setattr(start, "_HEALTH_TIMEOUT_S", 0.3)
            for find in (find_daemon, ensure_daemon):
                with pytest.raises(DaemonError, match=f"pid {pid}") as caught:
                    find(home)
                assert caught.value.slug == "daemon-silent"
            # Its number may be another process's, which has nothing to do with it.
            file = home / "run" / "daemon.json"
            an_hour_ago_s = file.stat().st_mtime - 3600
            os.utime(file, (an_hour_ago_s, an_hour_ago_s))
            assert find_daemon(home) is None
    finally:
        os.kill(pid, signal.SIGCONT)


def test_it_is_detached_from_whoever_started_it(home, started):
    pid = pid_of(started())
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"


def test_it_outlives_whoever_started_it(home, started):
    command = [sys.executable, "-c", STARTER, str(home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    assert find_daemon(home) == done.stdout.strip()


def test_many_at_once_end_with_one_daemon(home, started):
    command = [sys.executable, "-c", STARTER, str(home)]
    starters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    urls = {starter.communicate(timeout=150)[0].strip() for starter in starters}
    assert urls == {find_daemon(home)}


def test_two_threads_at_once_end_with_one_daemon(home, started):
    urls = []
    threads = [threading.Thread(target=lambda: urls.append(started())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(150)
    assert len(urls) == 2
    assert len(set(urls)) == 1


def test_one_that_came_too_late_doesn_t_take_over(home, started):
    threads = [threading.Thread(target=started) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(150)
    # All that were started have ended, but for the one that serves.
    assert daemons_of(home) == [pid_of(find_daemon(home))]


def daemons_of(home) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"treetap.app" in words and str(home).encode() in words:
            found.append(int(path.parent.name))
    return found


def test_a_daemon_that_was_killed_is_replaced(home, started):
    url = started()
    pid = pid_of(url)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid))
    assert find_daemon(home) is None
    assert pid_of(started()) != pid


def test_a_file_that_outlived_its_daemon_leads_to_no_other_one(home, tmp_path, started):
    url = started()
    other = tmp_path / "other"
    (other / "run").mkdir(parents=True)
    (other / "run" / "daemon.json").write_text(json.dumps({"url": url, "pid": 1}))
    assert find_daemon(other) is None


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"url": 5}', '{"url": "http://127.0.0.1:1", "pid": 1}']
)
def test_a_spoiled_file_is_no_daemon(home, content):
    (home / "run").mkdir()
    (home / "run" / "daemon.json").write_text(content)
    assert find_daemon(home) is None


def test_what_keeps_it_from_starting_is_told(home):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(DaemonError) as caught:
            ensure_daemon(home, port=port)
    assert caught.value.slug == "daemon-port-busy"
    assert f"Port {port}" in caught.value.what
    assert str(os.getpid()) in caught.value.what


def test_a_second_start_by_hand_says_that_one_runs(home, started):
    pid = pid_of(started())
    second = start_daemon(home, port=0)
    assert wait_until(lambda: exit_code(second)) == 3
    said = (home / "run" / "daemon.err").read_text()
    assert f"process {pid}" in said
    assert "[daemon-running]" in said


def test_a_tree_s_environment_doesn_t_make_the_daemon_a_node(home, started, monkeypatch):
    monkeypatch.setenv("TREETAP_TREE", "1-1")
    monkeypatch.setenv("TREETAP_PARENT", "1-1")
    pid = pid_of(started())
    environment = Path(f"/proc/{pid}/environ").read_text()
    assert "TREETAP_TREE" not in environment
    assert "TREETAP_PARENT" not in environment
