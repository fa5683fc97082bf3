"""The environment that makes a command, and what it starts in turn, a tapped tree."""

from __future__ import annotations

import os

from treetap.node.identity import PARENT_VARIABLE, TREE_VARIABLE, own_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from treetap.model.node import NodeIdentity

HOME_VARIABLE = "TREETAP_HOME"
#: What ``breakpoint()`` calls, and what it is to be in a tree. Named only: see the floor plan.
BREAKPOINT_VARIABLE = "PYTHONBREAKPOINT"
BREAKPOINT = "treetap.debug.pause"
#: The setting ``debug``, for the processes of a tree.
DEBUG_VARIABLE = "TREETAP_DEBUG"
#: ``PID NAME``: what the program calls itself, for its prompts; not for what it starts.
OWN_NAME_VARIABLE = "TREETAP_OWN_NAME"

#: Settings of the prompt, which knows no node: in seconds.
LIMITS = ("pause_timeout_s", "max_hold_s")


def startup_directory() -> str:
    """The directory whose ``sitecustomize`` makes a starting Python a node."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return f"{package}/startup"


def environment(
    base: Mapping[str, str],
    *,
    home: str,
    tree: str = "",
    parent: str = "",
    name: str = "",
    debug: bool = False,
) -> dict[str, str]:
    """``base`` with the tree's address in it.

    Args:
        base: Usually ``os.environ``; left as it is.
        home: Of treetap, absolute.
        tree: The tree's id: that of its root node. This process's own id if empty, which is
            right for who is about to exec the command.
        parent: Id of the node that starts the command; ``""`` where it becomes the root.
        name: The nodes' name; ``""`` to let each have its program's.
        debug: The nodes have the setting ``debug``, unless ``base`` says something of it.
    """
    changed = dict(base)
    changed[TREE_VARIABLE] = tree or own_id()
    changed[HOME_VARIABLE] = home
    if not changed.get(BREAKPOINT_VARIABLE):  # what the user has chosen stays
        changed[BREAKPOINT_VARIABLE] = BREAKPOINT
    if debug and not changed.get(DEBUG_VARIABLE):
        changed[DEBUG_VARIABLE] = "1"
    changed.pop(PARENT_VARIABLE, None)
    if parent:
        changed[PARENT_VARIABLE] = parent
    if name:
        changed["TREETAP_NAME"] = name
    ours = startup_directory()
    others = [
        path for path in base.get("PYTHONPATH", "").split(os.pathsep) if path and path != ours
    ]
    changed["PYTHONPATH"] = os.pathsep.join([ours, *others])
    return changed


_ADDRESS = (TREE_VARIABLE, PARENT_VARIABLE, HOME_VARIABLE, "PYTHONPATH")
_HOLDING = (BREAKPOINT_VARIABLE, DEBUG_VARIABLE)


class Export:
    """The tree's address in this process's own environment, for the processes that it starts."""

    def __init__(self) -> None:
        self._before: dict[str, str | None] = {}
        self._put: dict[str, str] = {}

    def put(self, who: NodeIdentity, home: str, *, debug: bool = False) -> None:
        """Name ``who`` as the parent of what is started from now on.

        Args:
            who: The node of this process.
            home: Of treetap.
            debug: What is started holds on to breakpoints too, as this process does then.
        """
        wanted = environment(os.environ, home=home, tree=who.tree, parent=who.id, debug=debug)
        for name in _ADDRESS + (_HOLDING if debug else ()):
            self._change(name, wanted[name])

    def put_name(self, who: NodeIdentity) -> None:
        """Have this process called at its prompts what ``who`` is called."""
        self._change(OWN_NAME_VARIABLE, f"{who.pid} {who.name}")

    def put_limit(self, name: str, limit_s: float) -> None:
        """Have one of ``LIMITS`` hold for this process and what it starts."""
        self._change(f"TREETAP_{name.upper()}", repr(limit_s))

    def _change(self, name: str, value: str) -> None:
        if os.environ.get(name) != value:
            self._before.setdefault(name, os.environ.get(name))
            self._put[name] = os.environ[name] = value

    def take_back(self) -> None:
        """Restore what was there, where nobody changed it since."""
        for name, value in self._put.items():
            if os.environ.get(name) != value:
                continue
            before = self._before[name]
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before
        self._put, self._before = {}, {}
