from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.link.other_user import needs_root
from tests.link.peers import mixed_pair, peer_of_other_user, tcp_pair
from treetap.link import owner
from treetap.link.address import packed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's word is Linux's")

Way = Callable[[owner._Ends], int | None]


@pytest.fixture(params=[owner._by_netlink, owner._by_tables])
def way(request: pytest.FixtureRequest) -> Way:
    return request.param


def ends_of(far: socket.socket) -> owner._Ends:
    peer, own = far.getpeername(), far.getsockname()
    return (packed(peer[0]), peer[1], packed(own[0]), own[1])


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_the_owner_of_a_peer_is_told(way: Way, family: socket.AddressFamily, host: str):
    near, far = tcp_pair(family, host)
    with near, far:
        assert way(ends_of(far)) == way(ends_of(near)) == os.geteuid()


def test_an_ipv4_peer_of_an_ipv6_socket_and_the_other_way_round(way: Way):
    near, far = mixed_pair()
    with near, far:
        assert way(ends_of(far)) == way(ends_of(near)) == os.geteuid()


@needs_root
def test_another_users_socket_is_that_users(way: Way):
    with peer_of_other_user() as (far, uid):
        assert way(ends_of(far)) == uid != os.geteuid()


def test_a_closed_peer_has_no_owner(way: Way):
    near, far = tcp_pair()
    with far:
        near.close()
        assert way(ends_of(far)) == owner.NO_OWNER


def test_a_peer_that_is_gone_has_none_by_the_tables_and_netlink_leaves_it_to_them():
    near, far = tcp_pair()
    with far:
        ends = ends_of(far)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        near.close()
        assert owner._by_netlink(ends) is None
        assert owner._by_tables(ends) == owner.NO_OWNER
        peer, own = ("127.0.0.1", ends[1]), ("127.0.0.1", ends[3])
        assert owner.owner_uid(peer, own) == owner.NO_OWNER


def test_a_listener_is_not_taken_for_who_claims_to_come_from_its_address():
    # The kernel falls back to a listener where there is no connection between the two.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ends = (packed("127.0.0.1"), listener.getsockname()[1], packed("127.0.0.1"), 9)
        assert owner._ask_kernel(ends), "it does answer"
        assert owner._by_netlink(ends) is None
        assert owner._by_tables(ends) == owner.NO_OWNER


def test_where_netlink_is_forbidden_the_tables_tell(monkeypatch: pytest.MonkeyPatch):
    def forbidden(_ends: owner._Ends) -> bytes:
        raise PermissionError

    monkeypatch.setattr(owner, "_ask_kernel", forbidden)
    near, far = tcp_pair()
    with near, far:
        assert owner.owner_uid(far.getpeername(), far.getsockname()) == os.geteuid()
        monkeypatch.setattr(owner, "_TABLES", ("/proc/net/there-is-none",))
        assert owner.owner_uid(far.getpeername(), far.getsockname()) is None


ASKS = """
import os, socket
from treetap.link import owner
listener = socket.create_server(("127.0.0.1", 0))
near = socket.create_connection(listener.getsockname())
far, _ = listener.accept()
before = os.listdir("/proc/self/fd")
assert [owner.owner_uid(far.getpeername(), far.getsockname()) for _ in range(9)] == 9 * [os.geteuid()]
assert os.listdir("/proc/self/fd") == before
"""


def test_asking_leaves_no_descriptor():
    # In a process of its own: here others may come and go.
    subprocess.run([sys.executable, "-c", ASKS], check=True, timeout=30)
