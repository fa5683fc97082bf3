"""Who an actor is."""

from __future__ import annotations

import os
import secrets
import socket

import msgspec


class ActorId(msgspec.Struct, frozen=True, array_like=True):
    """One actor, for as long as it lives.

    Attributes:
        name: As its parent named it; not unique.
        pid: Of its process.
        host: The name of its machine.
        tree: The id of its tree.
        uid: Unlike that of any other life of any actor.
    """

    name: str
    pid: int
    host: str
    tree: str
    uid: str

    @classmethod
    def here(cls, name: str, tree: str) -> ActorId:
        """A new identity for this process."""
        return cls(name, os.getpid(), socket.gethostname(), tree, secrets.token_hex(8))

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid} on {self.host})"
