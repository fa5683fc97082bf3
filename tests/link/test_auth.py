from __future__ import annotations

import os
import socket

import pytest

from tests.link.other_user import needs_root
from tests.link.peers import mixed_pair, peer_of_other_user, tcp_pair
from treetap.link import auth


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_the_user_of_a_loopback_peer_is_known(family, host):
    near, far = tcp_pair(family, host)
    with near, far:
        assert auth.peer_uid(near) == auth.peer_uid(far) == os.geteuid()


def test_an_ipv4_peer_of_an_ipv6_socket_is_known():
    near, far = mixed_pair()
    with near, far:
        assert auth.peer_uid(far) == os.geteuid()


def test_the_user_of_a_unix_peer_is_known():
    near, far = socket.socketpair()
    with near, far:
        assert auth.peer_uid(near) == os.geteuid()


@needs_root
def test_another_users_process_is_told_apart_though_root_is_asking():
    with peer_of_other_user() as (far, uid):
        assert auth.peer_uid(far) == uid
        assert auth.standing(uid, is_loopback=True) == auth.STRANGER


def test_a_peer_that_has_closed_is_not_taken_for_root():
    # The kernel shows a socket without an owner as one of user 0.
    near, far = tcp_pair()
    with far:
        near.sendall(b"wake up")
        near.close()
        assert auth.peer_uid(far) == auth.FOREIGN_UID
        assert auth.standing(auth.FOREIGN_UID, is_loopback=True) == auth.STRANGER


def test_a_peer_that_was_reset_is_nobody():
    near, far = tcp_pair()
    with far:
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        near.close()
        assert auth.peer_uid(far) == auth.FOREIGN_UID


def test_a_peer_on_another_machine_is_unknown():
    assert auth.tcp_peer_uid(("203.0.113.7", 4000), ("203.0.113.8", 80)) is None
    assert auth.standing(None, is_loopback=False) == auth.STRANGER


def test_a_loopback_peer_that_no_table_knows_is_a_stranger():
    assert auth.tcp_peer_uid(("127.0.0.1", 1), ("127.0.0.1", 2)) == auth.FOREIGN_UID


def test_where_nobody_knows_the_user_loopback_is_trusted_if_it_may_be():
    assert auth.standing(None, is_loopback=True) == auth.LOOPBACK
    assert auth.standing(None, is_loopback=True, trust_loopback=False) == auth.STRANGER
    assert auth.standing(os.geteuid(), is_loopback=True, trust_loopback=False) == auth.SAME_USER


def test_tokens_are_equal_only_if_they_are_and_none_is_no_token():
    assert auth.compare("s3cret", "s3cret")
    assert auth.compare("gehüim", "gehüim")
    assert not auth.compare("s3cret", "s3creT")
    assert not auth.compare("s3cret", "")
    assert not auth.compare("", "")
    assert not auth.compare("\udc80", "x")


def test_a_proof_depends_on_token_nonce_and_role():
    nonce = auth.new_nonce()
    proofs = {
        auth.proof("a", nonce),
        auth.proof("b", nonce),
        auth.proof("a", auth.new_nonce()),
        auth.proof("a", nonce, "daemon"),
    }
    assert len(proofs) == 4
    assert auth.proof("a", nonce) == auth.proof("a", nonce)


def test_a_token_file_that_others_can_read_is_complained_of_and_used(tmp_path):
    path = tmp_path / "token"
    assert auth.read_token(str(path)) == ("", "")
    path.write_text("s3cret\n")
    path.chmod(0o600)
    assert auth.read_token(str(path)) == ("s3cret", "")
    path.chmod(0o640)
    token, complaint = auth.read_token(str(path))
    assert token == "s3cret"
    assert "chmod 600" in complaint
    assert "s3cret" not in complaint


def test_a_token_file_that_cannot_be_read_is_complained_of(tmp_path):
    token, complaint = auth.read_token(str(tmp_path))
    assert token == ""
    assert str(tmp_path) in complaint


@needs_root
def test_a_token_file_of_another_user_is_complained_of(tmp_path):
    path = tmp_path / "token"
    path.write_text("theirs")
    path.chmod(0o600)
    os.chown(path, 4711, 4711)
    assert "belongs to user 4711" in auth.read_token(str(path))[1]
