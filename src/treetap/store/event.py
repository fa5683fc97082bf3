"""What goes into the table of events, and what is asked of it. Values."""

from __future__ import annotations

from typing import Any, NamedTuple


class EventBatch(NamedTuple):
    """Consecutive hits of one probe in one node.

    Attributes:
        first_id: Id of the first event; the others follow without a gap.
        probe: Number of the probe: 7 for ``"p7"``.
        node: Key of the node, see ``node_key``.
        first_number: Number of the first row among the probe's rows in this node.
        rows: ``[time_ns, value, …]`` each.
        size_bytes: What it took on the wire; bounds the queue.
    """

    first_id: int
    probe: int
    node: int
    first_number: int
    rows: list[Any]
    size_bytes: int


class LossRow(NamedTuple):
    """Rows that never came, or could not be kept.

    Attributes:
        id: Of the event.
        probe: Number of the probe.
        node: Key of the node.
        first_number: Number of the first lost row.
        time_ns: When the loss was seen, in nanoseconds since the epoch.
        lost: How many rows.
        where: ``"node"`` (lost before they reached the daemon) or ``"store"``.
        next_number: The number that is expected of the node after it.
    """

    id: int
    probe: int
    node: int
    first_number: int
    time_ns: int
    lost: int
    where: str
    next_number: int


class Comparison(NamedTuple):
    """One value of a probe's rows against a constant.

    Attributes:
        probe: Number of the probe.
        position: Which of its expressions, from 0.
        operator: One of ``== != < <= > >= ~``; ``~`` is "contains".
        value: ``None``, a bool, a number or a text.
    """

    probe: int
    position: int
    operator: str
    value: Any


class EventFilter(NamedTuple):
    """Which events. ``None`` and ``0`` mean: all of them.

    Attributes:
        probes: Numbers of probes; an empty tuple matches nothing.
        node: Id of a node, ``"PID-START"``.
        tree: Id of a tree.
        pid: Process id.
        name: Of nodes.
        since_ns: First moment, in nanoseconds since the epoch.
        until_ns: First moment that is too late.
        comparisons: An event has to satisfy one of them, if there are any.
        only_hits: Without losses.
    """

    probes: tuple[int, ...] | None = None
    node: str | None = None
    tree: str | None = None
    pid: int | None = None
    name: str | None = None
    since_ns: int = 0
    until_ns: int = 0
    comparisons: tuple[Comparison, ...] = ()
    only_hits: bool = False


class EventPage(NamedTuple):
    """Attributes:
    events: Rows as mappings: those of ``schema.event``, and ``node_id``, ``pid``, ``name``,
        ``tree`` of the node, ``definition`` of the probe.
    next_cursor: Where the next page begins; ``None`` if there is none.
    """

    events: list[dict[str, Any]]
    next_cursor: int | None
