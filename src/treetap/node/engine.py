"""What a node needs of its engine, and how it gets the real one."""

from __future__ import annotations

import time

from treetap.errors import TreetapError
from treetap.wire.message import probe_from_dict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from typing import Any, Protocol

    from treetap.model.probe import Probe
    from treetap.model.status import Batch, ProbeStatus
    from treetap.node.core import Node
else:
    # The class below is read by type checkers alone.
    Protocol = object


class ProbeSetLike(Protocol):
    """What a node needs of its engine; ``treetap.probe.probeset.ProbeSet`` is it."""

    def apply(self, probes: Sequence[Probe]) -> None:
        """Make these the wanted probes; a bad one gets a status, and never raises."""

    def prepare(self) -> None:
        """Load what hits need, which else the first hit does."""

    def statuses(self) -> list[ProbeStatus]:
        """How each of them fares."""

    def drain(self) -> list[Batch]:
        """Take the rows out of the rings."""

    def tick(self) -> bool:
        """Do what is due; whether a status changed."""

    def unseen(self) -> AbstractContextManager[None]:
        """Within it the calling thread is ours, and what it does is not recorded."""

    def hold_for_fork(self) -> None:
        """Begin no change until the fork is over."""

    def release_after_fork(self) -> None:
        """In the parent: go on."""

    def start_over_in_child(self) -> None:
        """After a fork: empty rings, zero counters, armed probes kept."""

    def disarm(self) -> None:
        """Take everything out of the program; rows can still be drained."""

    def close(self) -> None:
        """Disarm everything, leave no trace."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is wanted."""


def make_probe_set(node: Node) -> ProbeSetLike:
    """The real engine."""
    from treetap.expression.redaction import Redaction
    from treetap.probe.probeset import ProbeSet

    return ProbeSet(redaction=Redaction(node.settings.redact))


def readable_probes(
    fields: Iterable[Any], on_fault: Callable[[str, BaseException], None]
) -> list[Probe]:
    """The probes in a message; one that can't be read is a fault and left out."""
    probes = []
    for each in fields:
        try:
            probe = probe_from_dict(each)
        except TreetapError as exc:
            on_fault("a probe from the daemon", exc)
            continue
        if probe.is_enabled and not 0 < probe.expires_at_s <= time.time():
            probes.append(probe)
    return probes
