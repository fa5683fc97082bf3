"""A daemon of somebody else's, and programs that use the facade."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

#: For a machine that is busy with other things.
PATIENCE = {f"DETRIX_{name}_TIMEOUT": "60" for name in ("HEALTH_CHECK", "REGISTER", "UNREGISTER")}


class ForeignDaemon:
    """What a client needs of Detrix's daemon.

    Attributes:
        url: Of it.
        requests: What was asked, as ``(method, path, authorization, body)``; ``/health`` aside.
        answer: Status and body of its answer to a registration.
    """

    def __init__(self) -> None:
        self.requests: list = []
        self.answer: tuple = (201, b'{"connectionId": "c-1"}')
        self.health = {"service": "detrix"}
        daemon = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_words):
                pass

            def do_GET(self):
                self.respond(200, json.dumps(daemon.health).encode())

            def do_POST(self):
                self.respond(*daemon.answer)

            def do_DELETE(self):
                self.respond(204, b"")

            def respond(self, status, content):
                length = int(self.headers.get("content-length", 0))
                body = json.loads(self.rfile.read(length)) if length else None
                if self.path != "/health":
                    asked = (self.command, self.path, self.headers.get("authorization"), body)
                    daemon.requests.append(asked)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(content)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def foreign_daemon():
    daemon = ForeignDaemon()
    yield daemon
    daemon.close()


@pytest.fixture
def bare_environment(monkeypatch, tmp_path):
    """No variable of anybody's; homes of this test's own."""
    for name in list(os.environ):
        if name.startswith(("DETRIX_", "TREETAP_", "GIT_", "CI_", "GITHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TREETAP_HOME", str(tmp_path / "treetap"))
    return monkeypatch


@pytest.fixture
def run(tmp_path):
    """Runs a program with the facade in it; what it prints as JSON."""

    def run_program(text, **variables):
        environment = {"HOME": str(tmp_path), "TREETAP_HOME": f"{tmp_path}/treetap", **PATIENCE}
        done = subprocess.run(
            [sys.executable, "-X", "frozen_modules=off", "-c", text],
            env={"PATH": os.defpath, **environment, **variables},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run_program
