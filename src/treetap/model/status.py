"""How a probe fares in one node: what the engine reports, and the faces show."""

from __future__ import annotations

from treetap.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class ProbeState:
    """The life of a probe in one node."""

    PENDING = "pending"  # its module is not imported yet
    ARMED = "armed"
    TRIPPED = "tripped"  # treetap itself disarmed it: over budget, or a fault of ours
    DONE = "done"  # max_hits reached, or mode `first` has its hit
    EXPIRED = "expired"  # its time to live is over
    FAILED = "failed"  # can't be armed here; `error` says why


class ProbeStatus(Record):
    """One probe in one node.

    Attributes:
        probe_id: Of the probe.
        state: One of ``ProbeState``.
        engine: ``injecting``, ``monitoring``, ``tracing``, or several joined by ``+``.
        why: The reason for the engine, or for the state.
        sites: Where it sits: ``"/srv/shop.py:42 Cart.add"``.
        differs: The file on disk is not the code that runs.
        error: ``[slug, what, hint]`` of the error of a failed probe; empty otherwise.
        hits: How often an armed site was reached.
        recorded: How many rows it made.
        skipped: Hits that recorded nothing, by ``SkipReason``.
        lost: Rows that were overwritten in the ring before they could be shipped.
    """

    probe_id: str
    state: str
    engine: str = ""
    why: str = ""
    sites: tuple[str, ...] = ()
    differs: bool = False
    error: tuple[str, ...] = ()
    hits: int = 0
    recorded: int = 0
    skipped: dict[str, int] = {}  # noqa: RUF012 - a default that nobody writes to
    lost: int = 0

    def to_dict(self) -> dict[str, Any]:
        return self._asdict()


class Batch(Record):
    """Rows of one probe, in order, on their way to the daemon.

    Attributes:
        probe_id: Of the probe.
        first_number: Number of the first row; rows of a probe in a node count from 0, so a gap
            between two batches is exactly what was lost.
        rows: ``(time_ns, value, …)``, one value an expression, then the snapshot if asked.
    """

    probe_id: str
    first_number: int
    rows: list[tuple[Any, ...]]
