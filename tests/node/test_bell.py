from __future__ import annotations

import os
import socket
import threading
import time

import pytest

from tests.node.traces import wait_for_earlier_nodes
from treetap.node.bell import Bell


def test_a_bell_wakes_another_thread():
    bell = Bell()
    thread = threading.Thread(target=bell.wait, args=(30,))
    thread.start()
    bell.ring()
    thread.join(30)
    assert not thread.is_alive()
    bell.close()


def test_a_ring_before_the_wait_is_heard_once():
    bell = Bell()
    bell.ring()
    bell.ring()
    assert bell.wait(5) == (True, False)
    assert bell.wait(0) == (False, False)
    bell.close()


def test_a_socket_ends_the_wait_too():
    bell = Bell()
    near, far = socket.socketpair()
    with near, far:
        far.send(b"x")
        before = time.monotonic()
        assert bell.wait(30, near) == (False, True)
        assert time.monotonic() - before < 20
    bell.close()


def test_a_bell_gives_its_descriptors_back_and_can_be_rung_after_that():
    wait_for_earlier_nodes()
    before = len(os.listdir("/proc/self/fd"))
    bell = Bell()
    bell.close()
    bell.close()
    bell.ring()
    assert len(os.listdir("/proc/self/fd")) == before


def test_ringing_for_ever_does_not_block():
    bell = Bell()
    for _ in range(70_000):
        bell.ring()
    bell.close()


def test_a_bell_whose_descriptors_the_program_closes_has_the_same_ones_again():
    bell = Bell()
    heard, pulled = bell._heard, bell._pulled
    assert min(heard, pulled) > 256, "they are in nobody's way"
    for closed in ([heard, pulled], [heard], [pulled]):
        for descriptor in closed:
            os.close(descriptor)
        assert bell.wait(5)[0]
        assert bell.wait(0) == (False, False)
        bell.ring()
        assert bell.wait(5) == (True, False)
        assert (bell._heard, bell.pulled) == (heard, pulled)
    bell.close()


def test_a_socket_that_the_program_closes_is_no_more():
    bell = Bell()
    near, far = socket.socketpair()
    os.close(near.fileno())
    with pytest.raises(OSError, match="Bad file descriptor"):
        bell.wait(5, near)
    near.detach()
    far.close()
    bell.close()
