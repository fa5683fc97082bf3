"""The floor plan: which package stands where. ``ARCHITECTURE.md`` draws it."""

from __future__ import annotations

from typing import NamedTuple

BOTH, PROCESS, DAEMON, ROOF = "both towers", "process tower", "daemon tower", "roof"


class Place(NamedTuple):
    floor: int
    tower: str


#: What is imported from a lower floor only, and never from the other tower. ``startup`` is the
#: node's first step in a child, so it is of the node's floor.
PLAN = {
    "errors": Place(0, BOTH),
    "finder": Place(0, BOTH),
    "interpreter": Place(0, BOTH),
    "proc": Place(0, BOTH),
    "model": Place(1, BOTH),
    "wire": Place(2, BOTH),
    "expression": Place(2, BOTH),
    "config": Place(2, BOTH),
    "link": Place(3, BOTH),
    "probe": Place(3, PROCESS),
    "stack": Place(3, PROCESS),
    "store": Place(3, DAEMON),
    "dap": Place(3, DAEMON),
    "node": Place(4, PROCESS),
    "startup": Place(4, PROCESS),
    "debug": Place(4, PROCESS),
    "process": Place(4, PROCESS),
    "daemon": Place(4, DAEMON),
    "client": Place(4, DAEMON),
    "actor": Place(5, PROCESS),
    "compat": Place(5, PROCESS),
    "api": Place(5, DAEMON),
    "web": Place(5, DAEMON),
    "mcp": Place(5, DAEMON),
    "tui": Place(5, DAEMON),
    "app": Place(6, DAEMON),
    "cli": Place(7, ROOF),
}

#: Packages of one floor are strangers, but for these: ``startup`` is the part of ``node`` that has
#: to lie in a directory of its own, for the interpreter to find it; and it sets the hooks of
#: ``treetap run --on-crash`` in each process, before the program's first line. A supervisor asks who
#: is at a prompt before it ends a program.
ACQUAINTED = {("startup", "node"), ("startup", "debug"), ("process", "debug")}


def complaint(importer: str, imported: str) -> str:
    """Why package ``importer`` may not import package ``imported``; ``""`` if it may."""
    if importer == imported or (importer, imported) in ACQUAINTED:
        return ""
    here, there = PLAN[importer], PLAN[imported]
    if here.tower != ROOF and there.tower not in (BOTH, here.tower):
        return f"{importer} is of the {here.tower}, {imported} of the {there.tower}"
    if there.floor >= here.floor:
        return f"{importer} is on floor {here.floor}, {imported} on floor {there.floor}"
    return ""
