from __future__ import annotations

import os
import socket
import threading
import time

import pytest

from tests.conftest import wait_until
from tests.node.traces import descriptors, threads, wait_for_earlier_nodes
from treetap.errors import ControlPlaneError
from treetap.node import control
from treetap.node.control import MAX_CONNECTIONS, ControlPlane, loopback_of


class Planes:
    """Opens control planes that echo; they are stopped with the test."""

    def __init__(self):
        self.opened = []
        self.faults = []

    def open(self, serve=None, port=0, **options):
        plane = ControlPlane(
            "127.0.0.1", port, serve or echo, lambda *fault: self.faults.append(fault), **options
        )
        self.opened.append(plane)
        plane.start()
        return plane


def echo(connection):
    connection.sock.settimeout(10)
    received = connection.sock.recv(100)
    connection.is_reading = False
    connection.sock.sendall(received)


@pytest.fixture
def planes():
    wait_for_earlier_nodes()
    planes = Planes()
    yield planes
    for plane in planes.opened:
        plane.stop()


def connect(plane):
    return socket.create_connection(("127.0.0.1", plane.bound_port), 5)


def ask(plane, content=b"hello"):
    with connect(plane) as sock:
        sock.sendall(content)
        return sock.recv(100)


def test_each_connection_is_served(planes):
    plane = planes.open()
    assert [ask(plane, b"%d" % number) for number in range(50)] == [b"%d" % n for n in range(50)]
    assert planes.faults == []


def test_a_silent_connection_holds_up_nobody(planes):
    plane = planes.open()
    silent = [connect(plane) for _ in range(10)]
    assert ask(plane) == b"hello"
    for sock in silent:
        sock.close()


def test_when_there_are_too_many_the_slowest_is_cut_off(planes):
    plane = planes.open()
    silent = [connect(plane) for _ in range(MAX_CONNECTIONS * 3)]
    wait_until(lambda: ask(plane) == b"hello" and plane.thread_count <= MAX_CONNECTIONS + 2)
    silent[0].settimeout(5)
    assert silent[0].recv(1) == b""
    for sock in silent:
        sock.close()


def test_a_burst_of_honest_requests_is_answered_to_the_last(planes, monkeypatch):
    # Who connects and is then held up by a busy machine is to count as honest.
    monkeypatch.setattr(control, "_GRACE_S", 60.0)
    plane = planes.open()
    burst = [connect(plane) for _ in range(MAX_CONNECTIONS * 2)]
    for sock in burst:
        sock.sendall(b"hello")
    assert [sock.recv(10) for sock in burst] == [b"hello"] * len(burst)
    for sock in burst:
        sock.close()


def test_a_connection_that_is_being_answered_is_not_cut_off(planes):
    may_answer = threading.Event()

    def slow(connection):
        received = connection.sock.recv(100)
        connection.is_reading = False
        if received == b"slow":
            may_answer.wait(10)
        connection.sock.sendall(received)

    plane = planes.open(slow)
    with connect(plane) as sock:
        sock.sendall(b"slow")
        wait_until(lambda: any(not each.is_reading for each in plane._snapshot()))
        silent = [connect(plane) for _ in range(MAX_CONNECTIONS * 2)]
        may_answer.set()
        assert sock.recv(100) == b"slow"
        for each in silent:
            each.close()


def test_stopping_waits_for_no_peer_and_leaves_nothing(planes):
    before = threads(), descriptors()
    plane = planes.open()
    silent = [connect(plane) for _ in range(5)]
    wait_until(lambda: plane.thread_count == 6)
    begin = time.monotonic()
    plane.stop()
    assert time.monotonic() - begin < 8
    for sock in silent:
        sock.close()
    wait_until(lambda: (threads(), descriptors()) == before)
    with pytest.raises(OSError):
        connect(plane)
    plane.stop()


def test_a_fault_of_the_server_ends_one_connection_only(planes):
    def fail(connection):
        connection.sock.recv(100)
        raise ZeroDivisionError

    plane = planes.open(fail)
    assert ask(plane) == b""
    assert ask(plane) == b""
    wait_until(lambda: len(planes.faults) == 2)
    assert isinstance(planes.faults[0][1], ZeroDivisionError)


def test_a_busy_port_is_an_error_that_names_it(planes):
    plane = planes.open()
    with pytest.raises(ControlPlaneError) as caught:
        planes.open(port=plane.bound_port)
    assert caught.value.slug == "control-plane-port"
    assert str(plane.bound_port) in caught.value.what


def test_an_address_of_another_machine_cannot_be_bound():
    with pytest.raises(ControlPlaneError):
        ControlPlane("203.0.113.7", 0, echo, print)
    with pytest.raises(ControlPlaneError):
        ControlPlane("no.such.host.invalid", 0, echo, print)


def test_ipv6_can_be_bound():
    plane = ControlPlane("::1", 0, echo, print)
    plane.start()
    with socket.create_connection(("::1", plane.bound_port), 5) as sock:
        sock.sendall(b"six")
        assert sock.recv(10) == b"six"
    plane.stop()


def test_a_paused_plane_refuses_nobody(planes):
    plane = planes.open()
    plane.pause()
    wait_until(lambda: plane.thread_count == 0)
    with connect(plane) as sock:
        sock.sendall(b"later")
        plane.resume()
        assert sock.recv(10) == b"later"
    plane.resume()
    assert ask(plane) == b"hello"


def test_a_plane_that_is_too_slow_to_pause_goes_on(planes, monkeypatch):
    plane = planes.open()
    begun, may_go_on = threading.Event(), threading.Event()
    begin = plane._begin

    def slow(sock):
        begun.set()
        may_go_on.wait(20)
        begin(sock)

    monkeypatch.setattr(plane, "_begin", slow)
    with connect(plane) as sock:
        assert begun.wait(10)
        plane.pause()
        resuming = threading.Thread(target=plane.resume, daemon=True)
        resuming.start()
        resuming.join(10)
        is_resumed = not resuming.is_alive()
        may_go_on.set()
        assert is_resumed
        sock.sendall(b"later")
        assert sock.recv(10) == b"later"
    assert ask(plane) == b"hello"


def test_without_descriptors_the_plane_survives(planes):
    import resource

    plane = planes.open()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    waiting = connect(plane)
    assert plane.thread_count >= 1
    hold = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, limits[1]))
    try:
        client = socket.socket()
        while True:
            try:
                hold.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                break
        client.connect(("127.0.0.1", plane.bound_port))
        wait_until(lambda: planes.faults)
    finally:
        for descriptor in hold:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    client.sendall(b"back")
    client.settimeout(5)
    assert client.recv(10) == b"back"
    client.close()
    waiting.close()


def test_every_address_is_reached_by_loopback():
    assert [loopback_of(host) for host in ("0.0.0.0", "::", "10.0.0.1")] == [
        "127.0.0.1", "::1", "10.0.0.1",
    ]  # fmt: skip
