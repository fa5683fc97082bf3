from __future__ import annotations

import os
import socket

import msgspec

from treetap.actor.identity import ActorId


def test_an_identity_says_name_process_and_host():
    actor = ActorId.here("worker", "tree")
    assert str(actor) == f"worker (pid {os.getpid()} on {socket.gethostname()})"
    assert actor.tree == "tree"


def test_two_lives_are_never_the_same():
    assert ActorId.here("a", "t") != ActorId.here("a", "t")
    assert len({ActorId.here("a", "t").uid for _ in range(100)}) == 100


def test_it_crosses_as_itself():
    actor = ActorId.here("worker", "tree")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(actor), type=ActorId) == actor
    assert hash(actor) == hash(ActorId(*(getattr(actor, name) for name in actor.__struct_fields__)))
