"""A node: one observed OS process; who it is and in which state.

A sleeping process loads this module, so it uses nothing but the interpreter.
"""

from __future__ import annotations

from treetap.errors import StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SLEEPING = "sleeping"
WARM = "warm"
WAKING = "waking"
AWAKE = "awake"
STATES = (SLEEPING, WARM, WAKING, AWAKE)

#: ``{(state, trigger): state}``. A failed wake goes back to where it came from, so that there
#: are two triggers for it.
TRANSITIONS = {
    (SLEEPING, "warm-up"): WARM,
    (SLEEPING, "wake"): WAKING,
    (WARM, "wake"): WAKING,
    (WAKING, "woken"): AWAKE,
    (WAKING, "failed-from-sleeping"): SLEEPING,
    (WAKING, "failed-from-warm"): WARM,
    (AWAKE, "sleep"): SLEEPING,
    (WARM, "sleep"): SLEEPING,
}


def next_state(state: str, trigger: str) -> str:
    """The state after ``trigger``.

    Raises:
        StateError: The state doesn't know the trigger; the message names both.
    """
    try:
        return TRANSITIONS[state, trigger]
    except KeyError:
        known = ", ".join(t for s, t in TRANSITIONS if s == state)
        raise StateError(
            f"A node that is {state} can't take the trigger {trigger!r}.",
            f"It takes: {known or 'none'}.",
            slug="state-illegal",
        ) from None


class NodeIdentity:
    """Who a node is. Two processes are never the same node: pid and start time differ.

    Attributes:
        name: The user's name for the program, e.g. ``"shop"``.
        pid: Process id.
        start_ns: Start of the process in nanoseconds: on Linux since the boot (field 22 of
            ``/proc/PID/stat``, whose ticks are 10 ms), elsewhere since the epoch; tells a
            recycled pid from the old process.
        host: Host name.
        boot_id: Differs between two boots and two machines; ``""`` where unknown.
        tree: Id of the tree: that of its root.
        parent: ``id`` of the parent node; ``""`` for a root.
        python: Version of the interpreter, ``"3.13.0"``.
        program: What runs: script or module and its arguments, cut at 200 characters.
    """

    __slots__ = (
        "boot_id",
        "host",
        "name",
        "parent",
        "pid",
        "program",
        "python",
        "start_ns",
        "tree",
    )

    def __init__(
        self,
        *,
        name: str,
        pid: int,
        start_ns: int,
        host: str = "",
        boot_id: str = "",
        tree: str = "",
        parent: str = "",
        python: str = "",
        program: str = "",
    ) -> None:
        self.name = name
        self.pid = pid
        self.start_ns = start_ns
        self.host = host
        self.boot_id = boot_id
        self.tree = tree or f"{pid}-{start_ns:x}"
        self.parent = parent
        self.python = python
        self.program = program

    @property
    def id(self) -> str:
        """``PID-START`` in a URL-safe form; unique on its host for as long as it is up."""
        return f"{self.pid}-{self.start_ns:x}"

    def to_dict(self) -> dict[str, Any]:
        fields = {field: getattr(self, field) for field in self.__slots__}
        return {"id": self.id, **fields}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> NodeIdentity:
        """The inverse of ``to_dict``; unknown keys are ignored."""
        return cls(**{field: fields[field] for field in cls.__slots__ if field in fields})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NodeIdentity) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.host, self.boot_id, self.id))

    def __repr__(self) -> str:
        return f"<node {self.name} {self.id}>"
