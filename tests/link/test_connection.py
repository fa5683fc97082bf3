from __future__ import annotations

import os
import socket
import threading
import time

import pytest

from tests.conftest import wait_until
from tests.link.fake_daemon import FakeDaemon
from tests.link.other_user import needs_root, run_as_other_user
from treetap.errors import LinkError
from treetap.link.connection import LinkConnection
from treetap.model.node import NodeIdentity
from treetap.wire import codec, frame

WHO = NodeIdentity(name="shop", pid=7, start_ns=99)


@pytest.fixture
def daemon(tmp_path):
    with FakeDaemon(tmp_path) as daemon:
        yield daemon


def opened(endpoint, **options):
    return LinkConnection.open(endpoint, WHO, **options)


def test_a_link_prefers_the_unix_socket(daemon):
    connection = opened(daemon.link)
    assert connection._socket.family == socket.AF_UNIX
    connection.close()


@pytest.mark.parametrize("path", ["/there/is/none.sock", None])
def test_a_link_falls_back_to_tcp(daemon, path):
    connection = opened({**daemon.link, "unix": path})
    assert connection._socket.family == socket.AF_INET
    assert connection.welcome["revision"] == 1
    connection.close()


def test_a_dead_unix_socket_is_passed_over(daemon, tmp_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    connection = opened({**daemon.link, "unix": str(tmp_path / "dead.sock")})
    assert connection._socket.family == socket.AF_INET
    connection.close()


def test_messages_go_both_ways(daemon):
    connection = opened(daemon.link)
    connection.send({"type": "status", "probes": []})
    wait_until(lambda: daemon.of_type("status"))
    assert connection.receive(0) is None
    daemon.send({"type": "sleep"})
    assert connection.receive(5) == {"type": "sleep"}
    connection.close()


def test_a_message_that_comes_in_pieces_is_put_together():
    ours, theirs = socket.socketpair()
    connection = LinkConnection(ours)
    packed = frame.pack(codec.encode_json({"type": "sleep"})) + frame.pack(
        codec.encode_json([1, 2])
    )
    for position in range(len(packed)):
        theirs.send(packed[position : position + 1])
        if position < len(packed) // 3:
            assert connection.receive(0) is None
    assert connection.receive(0) == {"type": "sleep"}
    assert connection.receive(0) == [1, 2]
    connection.close()
    theirs.close()


def test_a_closed_link_says_so():
    ours, theirs = socket.socketpair()
    connection = LinkConnection(ours)
    theirs.close()
    with pytest.raises(LinkError) as caught:
        connection.receive(1)
    assert caught.value.slug == "link-closed"
    with pytest.raises(LinkError):
        connection.send({"type": "bye"})
    connection.close()
    connection.close()


def test_what_is_no_frame_ends_the_link():
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.send(b"HTTP/1.1 200 OK\r\n")
        connection = LinkConnection(ours)
        with pytest.raises(LinkError) as caught:
            connection.receive(1)
        assert caught.value.slug == "link-frame"
        connection.close()


def test_sending_to_a_peer_that_does_not_read_ends_in_time():
    ours, theirs = socket.socketpair()
    with theirs:
        connection = LinkConnection(ours, send_timeout_s=0.1)
        before = time.monotonic()
        with pytest.raises(LinkError):
            connection.send("x" * 4_000_000)
        assert time.monotonic() - before < 20
        connection.close()


def test_what_the_kernel_does_not_take_is_not_waited_for():
    ours, theirs = socket.socketpair()
    with theirs:
        connection = LinkConnection(ours)
        content = memoryview(bytes(4_000_000))
        assert 0 < connection.send_some(content) < len(content)
        while connection.send_some(content):
            pass
        connection.close()


def test_nobody_there_is_unreachable(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for endpoint in ({"port": port}, {"unix": str(tmp_path / "none")}, {}):
        with pytest.raises(LinkError) as caught:
            opened(endpoint, timeout_s=1)
        assert caught.value.slug == "link-unreachable"


def test_a_daemon_that_says_nothing_is_given_up(tmp_path):
    with FakeDaemon(tmp_path, is_link_silent=True) as silent:
        before = time.monotonic()
        with pytest.raises(LinkError) as caught:
            opened(silent.link, timeout_s=0.2)
        assert caught.value.slug == "link-unreachable"
        assert time.monotonic() - before < 20


def test_another_thread_can_end_the_wait_for_a_silent_daemon(tmp_path):
    with FakeDaemon(tmp_path, is_link_silent=True) as silent:
        seen = []
        outcome = []

        def try_it():
            with pytest.raises(LinkError) as caught:
                opened(silent.link, timeout_s=30, on_socket=seen.append)
            outcome.append(caught.value.slug)

        thread = threading.Thread(target=try_it)
        thread.start()
        wait_until(lambda: seen and silent.links)
        seen[0].shutdown(socket.SHUT_RDWR)
        thread.join(30)
        assert outcome == ["link-closed"]


@needs_root
def test_a_stranger_on_the_daemons_port_is_not_taken_for_the_daemon():
    """It could send probes, and with them expressions to evaluate."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def pretend():
            import warnings

            warnings.simplefilter("ignore")
            with socket.socket() as own:  # a socket of this user: the owner of the accepted one
                own.bind(("127.0.0.1", 0))
                own.listen()
                os.write(told, f"{own.getsockname()[1]}\n".encode())
                sock, _address = own.accept()
                sock.settimeout(5)
                challenge = {"type": "challenge", "nonce": "0" * 64, "auth": "none"}
                sock.sendall(frame.pack(codec.encode_json(challenge)))
                sock.recv(65536)
                sock.sendall(
                    frame.pack(codec.encode_json({"type": "welcome", "revision": 1, "probes": []}))
                )
                sock.close()

        heard, told = os.pipe()
        with run_as_other_user(pretend):
            port = int(os.read(heard, 20))
            with pytest.raises(LinkError) as caught:
                opened({"host": "127.0.0.1", "port": port})
        os.close(heard)
        os.close(told)
    assert caught.value.slug == "link-refused"
    assert "another user" in caught.value.what


@needs_root
def test_a_node_of_another_user_needs_the_token(tmp_path):
    tmp_path.chmod(0o755)
    with FakeDaemon(tmp_path, token="t") as daemon:
        endpoint = {"host": "127.0.0.1", "port": daemon.link["port"]}

        def try_it():
            try:
                opened(endpoint, token="wrong", timeout_s=5)
            except LinkError as exc:
                refused = exc.slug
            assert refused in ("link-closed", "link-refused")
            opened(endpoint, token="t", timeout_s=5).send({"type": "bye"})

        with run_as_other_user(try_it):
            pass
        wait_until(lambda: daemon.of_type("bye"))
