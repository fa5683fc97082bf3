"""The daemon's end of a link and its ``/health``, for tests: one thread, no store, no probes' life.

The handshake is the real one (``treetap.link.handshake``); the real daemon passes the same tests in
tests/node/test_with_daemon.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time

from treetap.errors import LinkError
from treetap.link import auth, handshake, http
from treetap.wire import codec, frame


class FakeDaemon:
    """Serves until closed; what nodes sent is in ``received``, as ``(node id, message)``."""

    def __init__(self, directory, *, token="", probes=(), is_link_silent=False):
        self.token = token
        self.probes = list(probes)
        self.received = []
        self.links = []
        self.requests = []
        self.is_link_silent = is_link_silent
        self.path = os.path.join(str(directory), "d.sock")
        self._threads = []
        self._is_closed = False
        self._http = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._http.getsockname()[1]}"
        self._tcp = socket.create_server(("127.0.0.1", 0))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self._unix = socket.socket(socket.AF_UNIX)
        self._unix.bind(self.path)
        self._unix.listen()
        self.link = {
            "unix": self.path, "host": "127.0.0.1", "port": self._tcp.getsockname()[1]
        }  # fmt: skip
        self.health = {
            "service": "detrix", "status": "ok", "treetap": {"protocol": 1, "link": self.link}
        }  # fmt: skip
        for listener, serve in (
            (self._http, self._serve_http), (self._tcp, self._serve_link), (self._unix, self._serve_link),
        ):  # fmt: skip
            self._start(self._accept, listener, serve)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def of_type(self, kind):
        return [m for _id, m in self.received if isinstance(m, dict) and m.get("type") == kind]

    def rows(self):
        return [row for _id, m in self.received if isinstance(m, list) for row in m[3]]

    def send(self, message):
        for sock in self.links:
            with contextlib.suppress(OSError):
                sock.sendall(frame.pack(codec.encode_json(message)))

    def cut_links(self):
        """As a daemon that is killed."""
        for sock in self.links:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._is_closed = True
        for listener in (self._http, self._tcp, self._unix):
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut_links()
        for thread in self._threads:
            thread.join(5)

    def _start(self, act, *arguments):
        thread = threading.Thread(target=act, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener, serve):
        while not self._is_closed:
            try:
                sock, _address = listener.accept()
            except OSError:
                return
            self._start(serve, sock)

    def _serve_http(self, sock):
        with sock, contextlib.suppress(Exception):
            deadline_s = time.monotonic() + 5
            request = http.read_request(sock, deadline_s)
            self.requests.append(request)
            answer = http.Response(200, json.dumps(self.health).encode())
            http.write_response(sock, answer, deadline_s)

    def _serve_link(self, sock):
        with sock, contextlib.suppress(OSError, EOFError):
            self.links.append(sock)
            if self.is_link_silent:
                sock.recv(1)
                return
            challenge = handshake.challenge(auth.standing(auth.peer_uid(sock), is_loopback=True))
            sock.sendall(frame.pack(codec.encode_json(challenge)))
            hello = _read_message(sock)
            try:
                identity = handshake.check_hello(hello, challenge, token=self.token)
            except LinkError as exc:
                sock.sendall(frame.pack(codec.encode_json(handshake.refusal(exc))))
                return
            welcome = handshake.welcome(hello, token=self.token, revision=1, probes=self.probes)
            sock.sendall(frame.pack(codec.encode_json(welcome)))
            self.received.append((identity.id, hello))
            while True:
                self.received.append((identity.id, _read_message(sock)))


def _read_message(sock):
    return codec.decode(_read(sock, frame.payload_bytes(_read(sock, frame.HEADER_BYTES))))


def _read(sock, size):
    content = b""
    while len(content) < size:
        more = sock.recv(size - len(content))
        if not more:
            raise EOFError
        content += more
    return content
