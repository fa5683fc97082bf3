"""Actors are nodes: how the root and each actor become one, and what environment a child gets."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from treetap.config.settings import resolve
from treetap.errors import TreetapError
from treetap.node import birth, launch
from treetap.node.api import slot
from treetap.node.core import Node
from treetap.node.identity import TREE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger("treetap.actor")


def home() -> str:
    """The home of treetap; ``""`` if the settings can't be read."""
    try:
        return str(slot.node.settings.home if slot.node is not None else resolve().home)
    except TreetapError:
        return ""


def tree() -> str:
    """The id of the tapped tree that this process is of; ``""`` for none."""
    return os.environ.get(TREE_VARIABLE, "")


def max_hold_s() -> float:
    """How long the end of who is at a prompt is deferred; 0 for without limit."""
    try:
        settings = slot.node.settings if slot.node is not None else resolve()
        return float(settings.max_hold_s)
    except TreetapError:
        return 0.0


def token() -> str:
    """The token of the settings; ``""`` if there is none."""
    if slot.node is not None:
        return slot.node.token()
    try:
        return Node(resolve()).token()
    except TreetapError:
        return ""


def tap_root() -> Node | None:
    """Make this process a node, asleep, if it isn't one; the node, if it is our making.

    The program's own ``treetap.init()`` may still come and take its place.
    """
    if slot.node is not None:
        return None
    try:
        node = Node(resolve())
        node.open()
    except (TreetapError, OSError) as exc:
        # Supervision doesn't depend on being observed.
        _log.warning("the actors of this program can't be observed: %s", exc)
        return None
    slot.fill(node, is_from_startup=True)
    return node


def untap(node: Node | None) -> None:
    """Undo ``tap_root``, unless the program has taken the node over."""
    if node is not None and slot.node is node:
        slot.empty()
        node.shutdown()


def tap_actor(name: str) -> None:
    """Make this process, an actor, the node that its environment says it is; never raises."""
    try:
        birth.begin(name=name)
    except Exception as exc:  # noqa: BLE001 - as above
        _log.warning("this actor can't be observed: %s", exc)


def child_environment(given: Mapping[str, str] | None, *, debug: bool = False) -> dict[str, str]:
    """What a child's environment is: ``given``, or this process's own, and the tree's address.

    Args:
        given: By the program.
        debug: The child is to be debugged, whatever this process is.
    """
    asked = dict(os.environ if given is None else given)
    node = slot.node
    if node is None or not node.settings.follow_children:
        return asked
    who = node.identity
    return launch.environment(
        asked,
        home=node.settings.home,
        tree=who.tree,
        parent=who.id,
        debug=debug or node.settings.debug,
    )
