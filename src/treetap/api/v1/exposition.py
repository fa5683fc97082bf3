"""The daemon's numbers in the text formats of Prometheus.

Detrix's names are there, and ours beside them: what was received, what was lost, and each probe's
own counts.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from treetap.daemon import Daemon

#: Series of single probes; more of them would be a load for who collects them.
MAX_PROBES = 1000
_STORE = {
    "size_bytes": "Of the database.",
    "events": "So many are kept.",
    "queued_rows": "Hits that wait to be written.",
}
_OF_PROBE = ("probe", "name", "group")


class Numbers(Collector):
    """What is so at this moment, for an encoder; to be made on the loop's own thread."""

    def __init__(self, daemon: Daemon, version: str, store: dict[str, Any]) -> None:
        self._families = list(_of_daemon(daemon, version, store))

    def collect(self) -> list[Metric]:
        return self._families

    def encoded(self, accepted: str) -> tuple[bytes, str]:
        """In the old text format, unless another is asked for; and its type of content."""
        encode, content_type = choose_encoder(accepted)
        return encode(self), content_type


def _of_daemon(daemon: Daemon, version: str, store: dict[str, Any]) -> Iterator[Metric]:
    yield InfoMetricFamily("detrix", "The daemon.", {"version": version})
    now_s = time.time()
    probes = daemon.registry.all()
    nodes = len(daemon.roster.connected())
    for name, text, value in (
        ("detrix_uptime_seconds", "Since the daemon began.", now_s - daemon.started_at_s),
        ("detrix_active_metrics_total", "Enabled.", sum(r.is_wanted(now_s) for r in probes)),
        ("detrix_metrics_total", "All of them.", len(probes)),
        ("detrix_adapter_connected", "Whether any process is observed.", int(nodes > 0)),
        ("detrix_process_cpu_percent", "Of one core, lately.", daemon.load.cpu_percent),
        ("detrix_process_memory_bytes", "Resident.", daemon.load.memory_bytes),
        ("detrix_degraded_components", "Parts that can't be read.", int(not store)),
        ("treetap_nodes", "Processes that are observed.", nodes),
        ("treetap_listeners", "Of the live feed.", daemon.feed.listener_count),
        ("treetap_agents", "Clients of tools that are there.", len(daemon.agents.all())),
    ):
        yield GaugeMetricFamily(name, text, value)
    for name, text, value in (
        ("treetap_rows", "Hits received.", daemon.ingest.rows),
        ("treetap_lost_rows", "Hits known to be lost.", daemon.ingest.lost_rows),
        ("treetap_unplaced_rows", "Hits of unknown probes.", daemon.ingest.unplaced_rows),
        ("treetap_cpu_seconds", "Used by the daemon.", daemon.load.cpu_seconds),
    ):
        yield CounterMetricFamily(name, text, value)
    for name, text in _STORE.items():
        if name in store:
            yield GaugeMetricFamily(f"treetap_store_{name}", text, store[name])
    if "written_rows" in store:
        yield CounterMetricFamily("treetap_store_written_rows", "Hits.", store["written_rows"])
    yield from _of_probes(daemon)


def _of_probes(daemon: Daemon) -> Iterator[Metric]:
    hits = CounterMetricFamily("treetap_probe_hits", "An armed line was reached.", labels=_OF_PROBE)
    kept = CounterMetricFamily("treetap_probe_recorded", "A hit was recorded.", labels=_OF_PROBE)
    lost = CounterMetricFamily("treetap_probe_lost", "A record was lost.", labels=_OF_PROBE)
    nodes = GaugeMetricFamily("treetap_probe_nodes", "Processes with it.", labels=_OF_PROBE)
    for record in daemon.registry.all()[:MAX_PROBES]:
        probe = record.probe
        labels = [probe.id, probe.name, record.group]
        totals = daemon.tally.totals(probe.id)
        hits.add_metric(labels, totals.hits)
        kept.add_metric(labels, totals.recorded)
        lost.add_metric(labels, totals.lost)
        nodes.add_metric(labels, len(daemon.tally.of_probe(probe.id)))
    yield from (hits, kept, lost, nodes)
