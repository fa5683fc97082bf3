"""Hostile, torn and honest peers on real sockets."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time

import pytest

from tests.conftest import wait_until
from tests.running_daemon import identity, running_daemon
from treetap.daemon.link_session import LinkLimits
from treetap.errors import LinkError
from treetap.wire import codec, frame

#: As a node that has had the time to load msgspec.
ENCODER = codec.Encoder()
ENCODER.prefer_msgpack()


class Peer:
    """A raw socket to the link."""

    def __init__(self, running, *, unix: bool = True) -> None:
        endpoint = running.daemon.link.endpoint
        if unix:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(endpoint["unix"])
        else:
            self.sock = socket.create_connection((endpoint["host"], endpoint["port"]))
        self.sock.settimeout(60)

    def __enter__(self):
        return self

    def __exit__(self, *args) -> None:
        self.sock.close()

    def send(self, message) -> None:
        self.sock.sendall(frame.pack(ENCODER.encode(message)))

    def receive(self):
        """The next message, or ``None`` at the end."""
        header = self._exactly(4)
        return codec.decode(self._exactly(frame.payload_bytes(header))) if header else None

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            try:
                chunk = self.sock.recv(count - len(data))
            except ConnectionResetError:
                return b""
            if not chunk:
                return b""
            data += chunk
        return data

    def hello(self, **fields):
        return {"type": "hello", "protocol": 1, "node": identity().to_dict(), "proof": "", **fields}


def shaken(running, **where) -> Peer:
    peer = Peer(running, **where)
    assert peer.receive()["type"] == "challenge"
    peer.send(peer.hello())
    assert peer.receive()["type"] == "welcome"
    return peer


def refusal_of(peer: Peer) -> dict:
    message = peer.receive()
    assert message["type"] == "refused", message
    assert peer.receive() is None
    return message


@pytest.mark.parametrize("unix", [True, False])
def test_a_process_of_the_same_user_needs_no_token(running, unix):
    with Peer(running, unix=unix) as peer:
        challenge = peer.receive()
        assert challenge["auth"] == "none"
        assert len(challenge["nonce"]) == 64
        peer.send(peer.hello())
        welcome = peer.receive()
        assert welcome["probes"] == []
        assert running.client.nodes()[0]["state"] == "awake"


def test_a_frame_may_come_byte_by_byte_and_several_in_one(running):
    with Peer(running) as peer:
        peer.receive()
        for byte in frame.pack(ENCODER.encode(peer.hello())):
            peer.sock.sendall(bytes([byte]))
        peer.receive()
        running.client.add_probe(location="a.py:1", expressions=["a"])
        batches = [["batch", "p1", i, [[1, i]]] for i in range(50)]
        peer.sock.sendall(b"".join(frame.pack(ENCODER.encode(each)) for each in batches))
        wait_until(lambda: running.daemon.ingest.rows == 50)


def test_what_follows_the_hello_at_once_is_not_lost(running):
    running.client.add_probe(location="a.py:1", expressions=["a"])
    with Peer(running) as peer:
        peer.receive()
        peer.sock.sendall(
            frame.pack(ENCODER.encode(peer.hello()))
            + frame.pack(ENCODER.encode(["batch", "p1", 0, [[1, 5]]]))
        )
        wait_until(lambda: running.daemon.ingest.rows == 1)


@pytest.mark.parametrize(
    ("message", "slug"),
    [
        ("hi", "link-message"),
        ({"type": "welcome"}, "link-message"),
        ({"type": "hello", "protocol": 99}, "link-protocol"),
        ({"type": "hello", "protocol": 1, "node": 5}, "link-message"),
        ({"type": "hello", "protocol": 1, "node": {"name": "x", "pid": "1"}}, "link-message"),
        (["batch", "p1", 0, []], "link-message"),
    ],
)
def test_what_is_no_hello_is_refused(running, message, slug):
    with Peer(running) as peer:
        peer.receive()
        peer.send(message)
        assert refusal_of(peer)["slug"] == slug


@pytest.mark.parametrize(
    ("sent", "slug"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "link-frame"),
        (b"\0\0\0\0", "link-frame"),
        (b"\xff\xff\xff\xff", "link-frame"),
        ((10**6).to_bytes(4, "big"), "link-frame"),
        (frame.pack(b"\xc1\xc1"), "link-codec"),
        (frame.pack(b"{not json"), "link-codec"),
    ],
)
def test_bytes_that_are_no_frame_are_refused(running, sent, slug):
    with Peer(running) as peer:
        peer.receive()
        peer.sock.sendall(sent)
        assert refusal_of(peer)["slug"] == slug


@pytest.mark.parametrize(
    "message",
    [
        ["batch"],
        ["batch", "p1", -1, [[1, 2]]],
        ["batch", "p1", 2**63, [[1, 2]]],
        ["batch", "p1", 0, [[1, 2], [1]]],
        ["batch", "p1", 0, [[1, 2], 5]],
        ["batch", "p1", 0, [["1", 2]]],
        ["batch", "p1", 0, [[]]],
        ["batch", "p1", 0, [[-1, 2]]],
        ["batch", "p1", 0, [[2**64 - 1, 2]]],
        ["batch", "p1", 0, [[True, 2]]],
        {"type": "status"},
        {"type": "status", "revision": 1, "probes": [{"probe_id": "p1"}]},
        {"type": "status", "revision": 1, "probes": [5]},
        {"type": "nonsense"},
        "nonsense",
        None,
    ],
)
def test_a_message_that_can_t_be_is_refused_and_harms_nobody_else(running, message):
    running.client.add_probe(location="a.py:1", expressions=["a"])
    with shaken(running) as peer:
        honest = running.connect(identity(5151))
        peer.send(message)
        assert refusal_of(peer)["slug"] == "link-message"
        honest.send(["batch", "p1", 0, [[1, 2]]])
        wait_until(lambda: running.daemon.ingest.rows == 1)
        honest.close()


def test_a_node_that_breaks_off_in_the_middle_of_a_frame_is_gone(running):
    with shaken(running) as peer:
        peer.sock.sendall(b"\0\0\1\0half")
    wait_until(lambda: running.client.nodes()[0]["state"] == "gone")
    assert running.client.nodes()[0]["reason"] == "lost"


HURRY = LinkLimits(handshake_timeout_s=0.05)


def test_whoever_says_no_hello_in_time_is_put_out(home):
    with running_daemon(home, link_limits=HURRY) as running, Peer(running) as peer:
        peer.receive()
        assert refusal_of(peer)["slug"] == "link-refused"
        wait_until(lambda: running.daemon.link.session_count == 0)


def test_the_deadline_ends_with_the_hello(home):
    limits = LinkLimits(handshake_timeout_s=0.2)

    def welcome() -> Peer | None:
        peer = Peer(running)
        peer.receive()
        # Too late, on a busy machine, it is refused, and may see its link closed.
        with contextlib.suppress(OSError):
            peer.send(peer.hello())
            message = peer.receive()
            if message is not None and message["type"] == "welcome":
                return peer
        peer.sock.close()
        return None

    with running_daemon(home, link_limits=limits) as running, wait_until(welcome) as peer:
        began = time.monotonic()
        wait_until(lambda: time.monotonic() > began + 0.3)
        peer.send(["batch", "p1", 0, []])
        assert running.daemon.link.session_count == 1
        assert running.client.nodes()[0]["state"] == "awake"


def test_a_goodbye_tells_why(running):
    with shaken(running) as peer:
        peer.send({"type": "bye", "reason": "sleep"})
        assert peer.receive() is None
    wait_until(lambda: running.client.nodes()[0]["state"] == "gone")
    assert running.client.nodes()[0]["reason"] == "sleep"


def test_a_node_that_comes_back_replaces_its_old_link(running):
    old = shaken(running)
    new = shaken(running)
    assert old.receive() is None
    (node,) = running.client.nodes()
    assert node["state"] == "awake"
    new.sock.close()
    old.sock.close()


def test_a_json_peer_is_answered(running):
    import json

    with Peer(running) as peer:
        peer.receive()
        peer.sock.sendall(frame.pack(json.dumps(peer.hello()).encode()))
        assert peer.receive()["type"] == "welcome"


def test_the_unix_socket_is_its_owners_alone(running):
    path = running.daemon.link.endpoint["unix"]
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_path_too_long_for_a_socket_is_replaced_by_a_short_one(tmp_path):
    home = tmp_path / ("x" * 90) / ("y" * 40)
    home.mkdir(parents=True)
    with running_daemon(home) as running:
        path = running.daemon.link.endpoint["unix"]
        assert len(path) < 100
        assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
        running.connect(identity()).close()
    assert not os.path.exists(os.path.dirname(path))


STRANGER = """
import os, sys
import msgspec.msgpack, hmac, hashlib, socket
from treetap.link.connection import LinkConnection
from treetap.model.node import NodeIdentity
from treetap.errors import LinkError
import encodings.ascii, encodings.idna, json
import treetap.link.handshake, treetap.link.owner, treetap.wire.codec
try:
    # Loads what a link loads late, while the files can still be read.
    LinkConnection.open({"host": "127.0.0.1", "port": 1}, None, token="x", timeout_s=1)
except LinkError:
    pass
os.setgroups([]); os.setgid(65533); os.setuid(65533)
me = NodeIdentity(name="stranger", pid=os.getpid(), start_ns=1)
try:
    link = LinkConnection.open(
        {"host": sys.argv[1], "port": int(sys.argv[2])}, me, token=sys.argv[3]
    )
    print("welcome", link.welcome["revision"])
except LinkError as exc:
    print(exc.slug)
"""


def stranger(running, token: str) -> str:
    """What a process of another user is told."""
    endpoint = running.daemon.link.endpoint
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, endpoint["host"], str(endpoint["port"]), token],
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.stdout.strip() or done.stderr


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@needs_root
def test_another_user_without_a_token_is_refused(running):
    assert stranger(running, "") == "link-refused"
    assert stranger(running, "guess") == "link-refused"
    assert running.client.nodes() == []


@needs_root
def test_another_user_with_the_token_is_welcome(home):
    with running_daemon(home, token="sesame") as running:
        assert stranger(running, "guess") == "link-refused"
        assert stranger(running, "sesame") == "welcome 0"


def test_a_node_that_reads_nothing_is_put_out_and_the_daemon_lives(home):
    limits = LinkLimits(max_unsent_bytes=100_000)
    with running_daemon(home, link_limits=limits) as running:
        with shaken(running) as _deaf:
            probe = running.client.add_probe(location="a.py:1", expressions=["a" * 9000])
            for i in range(200):
                running.client.change_probe(probe["id"], max_hits=i + 1)
                if running.client.nodes()[0]["state"] == "gone":
                    break
            wait_until(lambda: running.client.nodes()[0]["state"] == "gone")
        assert running.client.status()["nodes"] == 0


def test_links_end_when_the_daemon_does(home):
    with running_daemon(home) as running:
        link = running.connect(identity())
    with pytest.raises(LinkError):
        link.receive(5)
    link.close()
