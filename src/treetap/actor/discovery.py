"""How an actor is found by its name: in one's own tree, and in other trees of this host.

Within a tree the spawner knows everybody, and joins two by a channel (``searching``). Each tree has
one Unix socket in the runtime directory, for the same user's processes in other trees; a tree that is
no more doesn't answer there, and its socket is removed. What is looked for in one's own tree is never
found in another: two programs don't meet by accident.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio

from treetap.actor import runtime, tapping
from treetap.actor.control import encode
from treetap.errors import ActorError
from treetap.link import auth

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from treetap.actor.portal import Portal

#: As ``tree=``: every tree of this user on this host.
ANY_TREE = "*"
#: The spawner of another tree answers at once, unless it is importing something.
_ANSWER_TIMEOUT_S = 10.0
_RETRY_S = 0.05
_MAX_ANSWER_BYTES = 65536


def trees() -> list[str]:
    """The ids of the trees of actors of this user on this host, one's own among them."""
    return sorted({_tree_of(path) for path in _sockets() if _is_alive(path)})


@asynccontextmanager
async def find_actor(name: str, *, tree: str | None = None) -> AsyncIterator[Portal | None]:
    """A portal to the actor of this name, ``None`` if there is none. Of several, the oldest.

    Leaving the block closes the channel: calls that go on over it are cancelled.

    Args:
        name: Of the actor; ``root`` is the root, unless its first nursery named it otherwise.
        tree: Id of the tree to look in, ``ANY_TREE`` for all; one's own if not given.

    Raises:
        ActorError: There is no such tree (slug ``actor-no-tree``).
    """
    sock = await _found(name, tree, is_patient=False)
    if sock is None:
        yield None
        return
    async with runtime.portal_over(sock) as portal:
        yield portal


@asynccontextmanager
async def wait_for_actor(name: str, *, tree: str | None = None) -> AsyncIterator[Portal]:
    """As ``find_actor``, but waits until there is an actor of this name."""
    sock = await _found(name, tree, is_patient=True)
    while sock is None:
        await trio.sleep(_RETRY_S)
        sock = await _found(name, tree, is_patient=True)
    async with runtime.portal_over(sock) as portal:
        yield portal


async def _found(name: str, tree: str | None, *, is_patient: bool) -> socket.socket | None:
    here = runtime.current()
    if tree is None or (here is not None and tree == here.me.tree):
        return await _found_here(name, is_patient=is_patient)
    if tree != ANY_TREE:
        for path in _sockets(tree):
            if _is_alive(path):
                return await _found_at(path, name, is_patient=is_patient)
        raise ActorError(
            f"There is no tree of actors {tree} on this host.",
            f"There are: {', '.join(trees()) or 'none'}.",
            slug="actor-no-tree",
        )
    if here is not None:
        sock = await _found_here(name, is_patient=False)
        if sock is not None:
            return sock
    for path in _sockets():
        # A tree may end while it is asked; then it has no such actor.
        sock = await _found_at(path, name, is_patient=False) if _is_alive(path) else None
        if sock is not None:
            return sock
    return None


async def _found_here(name: str, *, is_patient: bool) -> socket.socket | None:
    control = runtime.needed().control
    uid = secrets.token_hex(8)
    search, sock = control.search(uid, name, is_patient=is_patient)
    try:
        await search.answered.wait()
    except trio.Cancelled:
        sock.close()
        raise
    finally:
        control.forget_search(uid)
    if search.actor is None:
        sock.close()
        if control.is_lost:
            raise ActorError("The spawner of this tree has ended.", slug="actor-no-tree")
        return None
    return sock


async def _found_at(path: str, name: str, *, is_patient: bool) -> socket.socket | None:
    sock = _connected(path)
    if sock is None:
        return None
    op = "wait" if is_patient else "find"
    wanted = encode({"op": op, "uid": secrets.token_hex(8), "name": name})
    is_ours = False
    try:
        sock.setblocking(False)
        with trio.fail_after(float("inf") if is_patient else _ANSWER_TIMEOUT_S):
            await trio.lowlevel.wait_writable(sock)
            sock.send(wanted)  # it fits: nothing else is in there
            answer = await _answer(sock)
        is_ours = answer.get("actor") is not None
    except (OSError, ValueError, trio.TooSlowError):
        return None
    finally:
        if not is_ours:
            sock.close()
    return sock if is_ours else None


async def _answer(sock: socket.socket) -> dict[str, Any]:
    """The one message from the spawner; what follows it is the actor's already.

    Raises:
        ValueError: It isn't one.
    """
    length = int.from_bytes(await _exactly(sock, 4), "big")
    if length > _MAX_ANSWER_BYTES:
        raise ValueError("no spawner's answer")
    answer = json.loads(await _exactly(sock, length))
    if not isinstance(answer, dict):
        raise ValueError("no spawner's answer")  # noqa: TRY004 - one kind of error for all of it
    return answer


async def _exactly(sock: socket.socket, count: int) -> bytes:
    taken = b""
    while len(taken) < count:
        await trio.lowlevel.wait_readable(sock)
        chunk = sock.recv(count - len(taken))
        if not chunk:
            raise ValueError("the spawner has hung up")
        taken += chunk
    return taken


# The sockets in the runtime directory.


def _sockets(tree: str = "") -> list[str]:
    directory = f"{tapping.home()}/run/trees"
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    return [
        f"{directory}/{name}"
        for name in names
        if name.endswith(".sock") and (not tree or name.partition(".")[0] == tree)
    ]


def _tree_of(path: str) -> str:
    return os.path.basename(path).partition(".")[0]


def _is_alive(path: str) -> bool:
    sock = _connected(path)
    if sock is not None:
        sock.close()
    return sock is not None


def _connected(path: str) -> socket.socket | None:
    """A connection to a tree's socket; removes the socket if nobody listens there any more."""
    sock = socket.socket(socket.AF_UNIX)
    directory = -1
    try:
        # By way of a descriptor, for a path may be longer than an address can be.
        if os.path.isdir("/proc/self/fd"):
            directory = os.open(os.path.dirname(path), os.O_DIRECTORY | os.O_CLOEXEC)
            sock.connect(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
        else:
            sock.connect(path)
        if auth.peer_uid(sock) in (os.geteuid(), None):
            return sock
    except ConnectionRefusedError:
        try:
            os.unlink(path)
        except OSError:
            pass
    except OSError:
        pass
    finally:
        if directory >= 0:
            os.close(directory)
    sock.close()
    return None
