from __future__ import annotations

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.conftest import wait_until
from treetap.debug.patience import Patience
from treetap.errors import PauseError


def patience(home, limit_s=0.0):
    said = []
    made = Patience(limit_s, str(home), "worker (7)", 7, said.append)
    made.begin()
    return made, said


@pytest.fixture
def daemon(home, monkeypatch):
    """What a daemon says of itself, and where it is found."""
    # It is a thread of ours, and may have its turn late.
    monkeypatch.setattr("treetap.debug.patience._HEALTH_TIMEOUT_S", 20)

    class Health(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"treetap": {"pid": os.getpid()}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Health)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    (home / "run").mkdir()
    write_daemon(home, server.server_port, os.getpid())
    yield server
    server.shutdown()
    server.server_close()
    thread.join(20)


def write_daemon(home, port, pid):
    url = f"http://127.0.0.1:{port}"
    (home / "run" / "daemon.json").write_text(json.dumps({"url": url, "pid": pid}))


def test_who_has_no_limit_is_never_out_of_time(home):
    patience(home)[0].check_time()


def test_a_limit_runs_out(home):
    made, _ = patience(home, 0.01)

    def is_over():
        try:
            made.check_time()
        except PauseError as exc:
            return exc.slug

    assert wait_until(is_over) == "pause-timeout"


def test_where_nobody_is_to_ask_waiting_makes_no_sense(home):
    made, said = patience(home)
    with pytest.raises(PauseError) as caught:
        made.check_sense()
    assert caught.value.slug == "pause-no-terminal"
    assert said == []


def test_who_has_a_limit_waits_and_says_how_to_answer(home):
    made, said = patience(home, 30)
    made.check_sense()
    assert said == []
    made.say_that_it_waits()
    assert said[0].slug == "pause-waiting"
    assert "for 30 s" in said[0].line
    assert "treetap answer --node 7" in said[0].line


def test_a_daemon_is_somebody_to_ask(home, daemon):
    made, _ = patience(home)
    made.check_sense()


@pytest.mark.parametrize("is_another", [True, False], ids=["another", "none"])
def test_a_file_that_outlived_its_daemon_is_nobody(home, daemon, is_another):
    write_daemon(home, daemon.server_port if is_another else 1, os.getpid() + 1)
    with pytest.raises(PauseError):
        patience(home)[0].check_sense()
