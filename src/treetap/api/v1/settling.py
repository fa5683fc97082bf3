"""A moment for the processes to say what became of a change."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from treetap.model.status import ProbeState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treetap.daemon import Daemon
    from treetap.daemon.record import ProbeRecord
    from treetap.model.node import NodeIdentity

#: A node that lives says it in milliseconds; one that is stopped isn't waited for any longer.
SETTLE_S = 1.0
_POLL_S = 0.01


async def settle(
    daemon: Daemon, records: Iterable[ProbeRecord], timeout_s: float = SETTLE_S
) -> bool:
    """Wait until each process has armed, refused or dropped each probe; whether they all have."""
    waiting = list(records)
    deadline_s = time.monotonic() + timeout_s
    while True:
        waiting = [record for record in waiting if not _is_settled(daemon, record)]
        if not waiting:
            return True
        if time.monotonic() > deadline_s:
            return False
        await asyncio.sleep(_POLL_S)


def _is_settled(daemon: Daemon, record: ProbeRecord) -> bool:
    statuses = daemon.tally.of_probe(record.probe.id)
    connected = daemon.roster.connected()
    if not record.is_wanted(time.time()):
        return not any(entry.key in statuses for entry in connected)
    return all(
        entry.key in statuses and statuses[entry.key].state != ProbeState.PENDING
        for entry in connected
        if is_for(daemon, record, entry.identity)
    )


def is_for(daemon: Daemon, record: ProbeRecord, node: NodeIdentity) -> bool:
    """Whether the probe is for this node, as ``Daemon.probes_for`` has it."""
    trees = {node.tree, daemon.targets.alias(node) or node.tree}
    target = record.probe.target
    return any(target.matches(tree=tree, name=node.name, pid=node.pid) for tree in trees)
