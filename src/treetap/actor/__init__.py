"""Python functions in other processes, under structured concurrency, on trio.

The public names are loaded when they are first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treetap.actor import to_asyncio as to_asyncio
    from treetap.actor.broadcast import Broadcast as Broadcast
    from treetap.actor.broadcast import Subscription as Subscription
    from treetap.actor.broadcast import open_broadcast as open_broadcast
    from treetap.actor.context import Context as Context
    from treetap.actor.custody import OwnedPortal as OwnedPortal
    from treetap.actor.discovery import ANY_TREE as ANY_TREE
    from treetap.actor.discovery import find_actor as find_actor
    from treetap.actor.discovery import trees as trees
    from treetap.actor.discovery import wait_for_actor as wait_for_actor
    from treetap.actor.gathering import gather_contexts as gather_contexts
    from treetap.actor.identity import ActorId as ActorId
    from treetap.actor.nursery import ActorNursery as ActorNursery
    from treetap.actor.nursery import open_nursery as open_nursery
    from treetap.actor.peer import Peer as Peer
    from treetap.actor.portal import Portal as Portal
    from treetap.actor.runtime import current_actor as current_actor
    from treetap.actor.sharing import maybe_open_context as maybe_open_context
    from treetap.actor.stream import Stream as Stream
    from treetap.actor.transport import connect_tcp as connect_tcp
    from treetap.actor.transport import serve_tcp as serve_tcp
    from treetap.actor.transport import tree_token as tree_token
    from treetap.errors import ActorDied as ActorDied
    from treetap.errors import ActorError as ActorError
    from treetap.errors import AsyncioCancelled as AsyncioCancelled
    from treetap.errors import Lagged as Lagged
    from treetap.errors import PayloadError as PayloadError
    from treetap.errors import RemoteCancelled as RemoteCancelled
    from treetap.errors import RemoteError as RemoteError
    from treetap.process.failure import bare_errors as bare_errors

#: ``{public name: the module that has it}``.
_HOMES = {
    # Actors.
    "ActorNursery": "treetap.actor.nursery",
    "OwnedPortal": "treetap.actor.custody",
    "current_actor": "treetap.actor.runtime",
    "open_nursery": "treetap.actor.nursery",
    # Finding them.
    "ANY_TREE": "treetap.actor.discovery",
    "connect_tcp": "treetap.actor.transport",
    "find_actor": "treetap.actor.discovery",
    "serve_tcp": "treetap.actor.transport",
    "tree_token": "treetap.actor.transport",
    "trees": "treetap.actor.discovery",
    "wait_for_actor": "treetap.actor.discovery",
    # Messages between two actors.
    "ActorId": "treetap.actor.identity",
    "Context": "treetap.actor.context",
    "Peer": "treetap.actor.peer",
    "Portal": "treetap.actor.portal",
    "Stream": "treetap.actor.stream",
    # Tools over them.
    "Broadcast": "treetap.actor.broadcast",
    "Subscription": "treetap.actor.broadcast",
    "gather_contexts": "treetap.actor.gathering",
    "maybe_open_context": "treetap.actor.sharing",
    "open_broadcast": "treetap.actor.broadcast",
    "to_asyncio": "treetap.actor",
    # What goes wrong.
    "bare_errors": "treetap.process.failure",
    "ActorDied": "treetap.errors",
    "ActorError": "treetap.errors",
    "PayloadError": "treetap.errors",
    "RemoteCancelled": "treetap.errors",
    "RemoteError": "treetap.errors",
    "AsyncioCancelled": "treetap.errors",
    "Lagged": "treetap.errors",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'treetap.actor' has no attribute {name!r}")
    from importlib import import_module

    if home == __name__:
        return import_module(f"{home}.{name}")  # a module of its own
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
