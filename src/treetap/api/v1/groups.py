"""Groups: metrics that are enabled and disabled together. Those without one are in ``default``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from treetap.api.v1.event import metric_name
from treetap.api.v1.settling import settle
from treetap.errors import TreetapError

if TYPE_CHECKING:
    from treetap.api.v1.metrics import Metrics
    from treetap.daemon import Daemon
    from treetap.daemon.record import ProbeRecord

DEFAULT = "default"


class Groups:
    """Args:
    daemon: Whose.
    metrics: Of the same.
    """

    def __init__(self, daemon: Daemon, metrics: Metrics) -> None:
        self._daemon = daemon
        self._metrics = metrics

    def all(self) -> list[dict[str, Any]]:
        """By name, with their counts."""
        now_s = time.time()
        members: dict[str, list[ProbeRecord]] = {}
        for record in self._daemon.registry.all():
            members.setdefault(record.group or DEFAULT, []).append(record)
        return [
            {
                "name": name,
                "metricCount": len(records),
                "enabledCount": sum(record.is_wanted(now_s) for record in records),
            }
            for name, records in sorted(members.items())
        ]

    def members(self, group: str) -> list[ProbeRecord]:
        """Newest first; empty for a group that nobody is in."""
        records = self._daemon.registry.all()
        return [record for record in reversed(records) if (record.group or DEFAULT) == group]

    async def metrics(self, group: str) -> list[dict[str, Any]]:
        """``MetricInfo`` of each."""
        return await self._metrics.forms(self.members(group))

    async def set_enabled(self, group: str, *, is_enabled: bool) -> dict[str, Any]:
        """Enable or disable all; what fails for one is told, and fails for no other."""
        done: list[ProbeRecord] = []
        errors: list[str] = []
        members = self.members(group)
        for record in members:
            try:
                done.append(
                    await self._daemon.registry.set_enabled(record.probe.id, is_enabled=is_enabled)
                )
            except TreetapError as exc:
                errors.append(f"{metric_name(record)}: {exc.what}")
        await settle(self._daemon, done)
        answer: dict[str, Any] = {
            "group": group,
            "operation": "enable" if is_enabled else "disable",
            "affectedMetrics": len(members),
            "successCount": len(done),
            "failureCount": len(errors),
        }
        return {**answer, "errors": errors} if errors else answer
