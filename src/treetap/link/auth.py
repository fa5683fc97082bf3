"""Who is at the other end: a process of the same user, a holder of the token, or neither.

The peer of a Unix socket is told by the kernel; so is that of a loopback TCP connection, on Linux
(`owner`). Where neither is possible (macOS over TCP), the user can't be known, and ``None`` says so.

A sleeping process loads this module with its first request, so that it imports little.
"""

from __future__ import annotations

import _socket as socket  # the C module alone: `socket` costs a sleeping process 7 ms
import os

from treetap.link.address import is_loopback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: ``peer_uid`` of a peer that is surely not a process of ours: its socket is closed, or its
#: owner can't be told from others. It is no user's id, so that it never equals one.
FOREIGN_UID = -1

#: Standing of a peer, see ``standing``.
SAME_USER = "same-user"
LOOPBACK = "loopback"
TOKEN = "token"
STRANGER = ""


def standing(uid: int | None, *, is_loopback: bool, trust_loopback: bool = True) -> str:
    """What a peer may claim without a token.

    Args:
        uid: What ``peer_uid`` said.
        is_loopback: The peer's address is one of this machine's loopback.
        trust_loopback: Trust loopback where the user can't be known.

    Returns:
        ``SAME_USER``; ``LOOPBACK`` (nobody knows who, but it is on this machine); ``STRANGER``.
    """
    if uid is not None:
        return SAME_USER if uid == os.geteuid() else STRANGER
    return LOOPBACK if is_loopback and trust_loopback else STRANGER


def peer_uid(sock: Any) -> int | None:
    """The user id of the process at the other end of a connected socket.

    Args:
        sock: A ``socket.socket``, or what asyncio hands out for one.

    Returns:
        The id; ``FOREIGN_UID`` for a loopback peer that is no living process's socket;
        ``None`` where the user can't be known (another machine, or no ``/proc/net``).
    """
    try:
        if sock.family == socket.AF_UNIX:
            return _unix_peer_uid(sock)
        return tcp_peer_uid(sock.getpeername(), sock.getsockname())
    except OSError:
        # The peer is gone already: nobody whom we would trust.
        return FOREIGN_UID


def tcp_peer_uid(peer: tuple[Any, ...], own: tuple[Any, ...]) -> int | None:
    """``peer_uid`` by the two addresses ``(host, port, …)`` of a TCP connection."""
    if not is_loopback(str(peer[0])):
        return None
    from treetap.link.owner import NO_OWNER, owner_uid  # a link over a Unix socket never asks

    uid = owner_uid(peer, own)
    if uid is None:
        return None
    return FOREIGN_UID if uid == NO_OWNER or _is_ambiguous(uid) else uid


def compare(token: str, given: str) -> bool:
    """Whether two tokens are equal, in a time that doesn't tell how much of them is.

    An empty token is no token: it equals nothing.
    """
    from hmac import compare_digest

    if not token or not given:
        return False
    return compare_digest(
        token.encode("utf-8", "surrogateescape"), given.encode("utf-8", "surrogateescape")
    )


def new_nonce() -> str:
    """32 random bytes as hex; each is used for one proof."""
    return os.urandom(32).hex()


def proof(token: str, nonce: str, role: str = "node") -> str:
    """That ``role`` (``node`` or ``daemon``) holds the token, without saying the token.

    The role is part of what is signed, so that a proof can't be sent back to its maker.
    """
    import hashlib
    import hmac

    text = f"treetap-link-1:{role}:{nonce}".encode()
    return hmac.new(token.encode("utf-8", "surrogateescape"), text, hashlib.sha256).hexdigest()


def read_token(path: str) -> tuple[str, str]:
    """The token in a file, and a complaint about the file (each may be empty).

    A token that others can read is used all the same: refusing it would stop a program for a
    fault that is better told than punished.
    """
    try:
        with open(path, encoding="utf-8") as file:
            status = os.fstat(file.fileno())
            token = file.read(4096).strip()
    except FileNotFoundError:
        return "", ""
    except (OSError, ValueError) as exc:
        return "", f"The token file {path} can't be read: {exc}."
    if status.st_mode & 0o077:
        return token, (
            f"The token file {path} can be read by others (mode {status.st_mode & 0o777:04o}). "
            f"Run: chmod 600 {path}"
        )
    if status.st_uid not in (os.geteuid(), 0):
        return token, f"The token file {path} belongs to user {status.st_uid}, not to you."
    return token, ""


def _unix_peer_uid(sock: Any) -> int | None:
    import struct

    if hasattr(socket, "SO_PEERCRED"):
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        _pid, uid, _gid = struct.unpack("iIi", credentials)
        return FOREIGN_UID if _is_ambiguous(uid) else int(uid)
    try:
        # macOS: SOL_LOCAL, LOCAL_PEERCRED; a struct xucred begins with its version and the uid.
        _version, uid = struct.unpack("=II", sock.getsockopt(0, 1, 76)[:8])
    except (OSError, struct.error):
        return None
    return int(uid)


def _is_ambiguous(uid: int) -> bool:
    """Whether ``uid`` stands for every user that this user namespace doesn't know.

    In a container the kernel shows all of them as one ("nobody"), which we may be ourselves.
    """
    try:
        with open("/proc/sys/kernel/overflowuid", encoding="ascii") as file:
            if uid != int(file.read()):
                return False
        with open("/proc/self/uid_map", encoding="ascii") as file:
            return file.read().split() != ["0", "0", "4294967295"]
    except (OSError, ValueError):
        return False
