"""Whether anybody of a tree may be at a prompt: a look into a directory, for who then asks the broker.

The standard library alone: the spawner imports this. Nothing of ``treetap.debug`` is loaded before a
broker has been there.
"""

from __future__ import annotations

import fcntl
import os
import sys


def traces(home: str, tree: str) -> list[str]:
    """The files that a broker of this tree has made; empty where nobody has ever paused."""
    directory = f"{home}/run/debug"
    try:
        names = os.listdir(directory) if home else []
    except OSError:
        return []
    return [f"{directory}/{name}" for name in names if name.partition(".")[0] == tree]


def is_broker_coming(paths: list[str]) -> bool:
    """Whether somebody who pauses is just starting a broker, or the last one is ending."""
    return any(_is_locked(path) for path in paths if path.endswith(".lock"))


def is_held_here() -> bool:
    """Whether a thread of this process is at a prompt, in a step from there, or waits for one."""
    session = sys.modules.get("treetap.debug.session")
    return session is not None and bool(session.is_any_open())


def name_of(tree: str) -> str:
    """By which a broker knows the tree; without one, its processes share that of their session."""
    return tree or f"session-{os.getsid(0)}"


def _is_locked(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
