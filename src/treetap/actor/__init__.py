"""Python functions in other processes, under structured concurrency, on trio.

The public names are loaded when they are first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: ``{public name: the module that has it}``.
_HOMES = {
    # Messages between two actors.
    "ActorId": "treetap.actor.identity",
    "Context": "treetap.actor.context",
    "Peer": "treetap.actor.peer",
    "Portal": "treetap.actor.portal",
    "Stream": "treetap.actor.stream",
    "ActorDied": "treetap.errors",
    "ActorError": "treetap.errors",
    "PayloadError": "treetap.errors",
    "RemoteCancelled": "treetap.errors",
    "RemoteError": "treetap.errors",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'treetap.actor' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
