"""The daemon: owns its services, and ties them together.

A node's link brings batches (``Ingest``) and statuses (``Tally``); a change of a probe
(``Registry``) goes to all nodes it is for (``Roster``) and into the standing file; all that
happens is published (``Feed``).
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from treetap.daemon import standing, tree
from treetap.daemon.feed import About, Feed, Happening
from treetap.daemon.ingest import Ingest
from treetap.daemon.journal import Journal, Kind
from treetap.daemon.link_server import LinkServer
from treetap.daemon.load import Load
from treetap.daemon.nearby import Nearby
from treetap.daemon.registry import Registry
from treetap.daemon.roster import NodeEntry, Roster
from treetap.daemon.tally import Tally
from treetap.daemon.targets import TARGETS_FILE, Targets
from treetap.daemon.usage import AgentClients, Usage
from treetap.daemon.view import node_view, probe_view
from treetap.errors import LinkError
from treetap.store import EventBatch, Store
from treetap.store.schema import node_key
from treetap.wire.message import probe_to_dict, statuses_from_wire

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from treetap.daemon.configuration import Change, Configuration
    from treetap.daemon.record import ProbeRecord
    from treetap.daemon.roster import Link
    from treetap.model.node import NodeIdentity

log = logging.getLogger(__name__)

#: How often the store is swept, in seconds.
_SWEEP_S = 60.0
#: For what waits to be written as the daemon ends: a second, where the machine has nothing else to do.
_WRITE_OUT_S = 10.0


class DaemonPlace(NamedTuple):
    """Where a daemon lives.

    Attributes:
        run_dir: Has the standing file and the link's socket; exists.
        host: Address that the TCP link listens on.
        store_url: Of the database.
    """

    run_dir: Path
    host: str
    store_url: str


class Daemon:
    """Made on the loop it lives on; ``start`` to ``close``."""

    def __init__(
        self,
        place: DaemonPlace,
        configuration: Configuration,
    ) -> None:
        self.configuration = configuration
        self.started_at_s = time.time()
        self.url = ""
        self._loop = asyncio.get_running_loop()
        self._standing_path = place.run_dir / standing.STANDING_FILE
        self.store = Store(
            place.store_url, retention=configuration.retention, on_loss=self._unwritten
        )
        self.journal = Journal(self.store.journal)
        self.load = Load()
        self.usage = Usage()
        self.agents = AgentClients()
        self.nearby = Nearby(place.run_dir / "nodes", lambda: configuration.token)
        self.feed = Feed()
        self.tally = Tally()
        self.registry = Registry(self.store, self._probe_changed)
        self.roster = Roster(self._forget_node)
        self.targets = Targets(self, self.roster, place.run_dir / TARGETS_FILE)
        self.ingest = Ingest(self.store, self.feed, self.tally, self.registry.record_of)
        awake = standing.read(self._standing_path).get("awake_trees", [])
        self.trees = tree.Trees([each for each in awake if isinstance(each, str)])
        self.link = LinkServer(
            self, run_dir=place.run_dir, tcp_host=place.host, limits=configuration.link_limits
        )
        configuration.when_changed(self._configuration_changed)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def token(self) -> str:
        """Shared with other users' nodes and tools; ``""`` if there is none."""
        return self.configuration.token

    @property
    def trust_loopback(self) -> bool:
        """Trust a loopback peer whose user can't be known."""
        return bool(self.configuration.settings.trust_loopback)

    async def start(self, url: str) -> None:
        """Open the link.

        Args:
            url: Where the API is; told to starting children by the standing file.
        """
        await self.link.start()
        self.url = url
        self.write_standing()
        self.targets.start()
        self._tasks = [
            asyncio.create_task(self._watch_the_clock()),
            asyncio.create_task(self._sweep_the_store()),
        ]

    async def close(self) -> int:
        """End links and listeners, write what waits; how many rows had to be left behind."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.targets.stop()
        await self.link.close()
        self.feed.close()
        self.ingest.tell_dropped()
        left = await asyncio.to_thread(self.store.close, _WRITE_OUT_S)
        if left:
            log.error("%d rows could not be written before the end", left)
        return left

    # -- trees --------------------------------------------------------------------------------

    def set_tree(self, tree_id: str, *, awake: bool) -> None:
        """Note that a tree is awake, for children to come; or put its nodes to sleep."""
        if self.trees.set(tree_id, awake=awake):
            self.write_standing()
        if not awake:
            for entry in self.roster.connected():
                if entry.identity.tree == tree_id and entry.link is not None:
                    entry.link.send({"type": "sleep"})

    def write_standing(self) -> None:
        content = {
            "revision": self.registry.revision,
            "url": self.url,
            "link": self.link.endpoint,
            "awake_trees": self.trees.awake,
            "probes": [probe_to_dict(probe) for probe in self.registry.wanted()],
        }
        try:
            standing.write_atomically(self._standing_path, content)
        except OSError:
            # Children that start now miss their first moments; everything else works.
            log.exception("the standing file can't be written")

    # -- the link calls these -----------------------------------------------------------------

    async def welcome(self, session: Link, identity: NodeIdentity) -> NodeEntry:
        known = self.roster.get(node_key(identity))
        entry = self.roster.connect(identity, session)
        self.store.save_node(identity, connected_at_s=entry.connected_at_s)
        if not self.ingest.ledger.knows(entry.key):
            progress = await asyncio.to_thread(self.store.progress, entry.key)
            self.ingest.ledger.restore(entry.key, progress)
        self.targets.look(entry.key)
        self._publish_node("awake", entry)
        was_lost = known is not None and known.reason == "lost"
        self.journal.note(Kind.NODE_RESTORED if was_lost else Kind.NODE_CONNECTED, entry=entry)
        log.info("node %s %s is here", identity.name, identity.id)
        return entry

    def probes_for(self, identity: NodeIdentity) -> tuple[int, list[dict[str, Any]]]:
        # What is registered as a target is found by that one's tree too, when it has its own link.
        trees = {identity.tree, self.targets.alias(identity) or identity.tree}
        probes = [
            probe_to_dict(probe)
            for probe in self.registry.wanted()
            if any(
                probe.target.matches(tree=each, name=identity.name, pid=identity.pid)
                for each in trees
            )
        ]
        return self.registry.revision, probes

    def receive(self, entry: NodeEntry, message: Any, size_bytes: int) -> None:
        if isinstance(message, list):
            self.ingest.batch(entry, message, size_bytes)
        elif isinstance(message, dict) and message.get("type") == "status":
            entry.last_seen_at_s = time.time()
            for probe_id in self.tally.report(entry.key, statuses_from_wire(message)):
                record = self.registry.record_of(probe_id)
                if record is not None:
                    self._publish_probe("status", record)
        else:
            raise LinkError("A message on the link is none that we know.", slug="link-message")

    def lost(self, entry: NodeEntry, session: Link, reason: str) -> None:
        if reason == "sleep":
            self.ingest.ledger.begin_anew(entry.key)
        if self.roster.disconnect(entry, session, reason):
            self.tally.forget_node(entry.key)
            self.store.save_node(entry.identity, connected_at_s=entry.connected_at_s)
            self.targets.look(entry.key)
            self._publish_node("gone", entry)
            kind = Kind.NODE_LOST if reason == "lost" else Kind.NODE_CLOSED
            self.journal.note(kind, entry=entry, reason=reason)
            log.info("node %s %s is gone: %s", entry.identity.name, entry.identity.id, reason)

    # -- inside -------------------------------------------------------------------------------

    def _configuration_changed(self, change: Change) -> None:
        self.store.keep(self.configuration.retention)
        self.journal.note(
            Kind.CONFIG_CHANGED, applied=list(change.applied), after_restart=list(change.waiting)
        )

    def _probe_changed(self, change: str, record: ProbeRecord) -> None:
        for entry in self.roster.connected():
            revision, probes = self.probes_for(entry.identity)
            if entry.link is not None:
                entry.link.send({"type": "probes", "revision": revision, "probes": probes})
        self._publish_probe(change, record)
        self.journal.note_probe(change, record)
        if change == "removed":
            self.tally.forget_probe(record.probe.id)
        self.write_standing()

    def _publish_probe(self, change: str, record: ProbeRecord) -> None:
        if self.feed.listener_count:
            event = {"kind": "probe", "change": change, "probe": probe_view(self, record)}
            self.feed.publish(Happening("probe", About(probe=record.probe.id), 1, lambda: [event]))

    def _publish_node(self, change: str, entry: NodeEntry) -> None:
        if self.feed.listener_count:
            node = entry.identity
            event = {"kind": "node", "change": change, "node": node_view(self, entry)}
            about = About(node=node.id, tree=node.tree, pid=node.pid, name=node.name)
            self.feed.publish(Happening("node", about, 1, lambda: [event]))

    def _forget_node(self, key: int) -> None:
        self.ingest.ledger.forget(key)

    def _unwritten(self, batches: Sequence[EventBatch], _reason: str) -> None:
        # Called in the writer's thread; at the end the loop may be over already.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.ingest.unwritten, batches, self.roster.get)

    async def _watch_the_clock(self) -> None:
        while True:
            until_expiry_s = self.registry.next_expiry_s() - time.time()
            await asyncio.sleep(max(0.02, min(1.0, until_expiry_s)))
            try:
                self.registry.expire()
                self.ingest.tell_dropped()
                self.roster.prune()
                if self.trees.prune():
                    self.write_standing()
            except Exception:
                log.exception("the daemon's clock stumbled")

    async def _sweep_the_store(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            try:
                has_more = True
                while has_more:
                    has_more = await asyncio.wrap_future(self.store.sweep())
                    # Batches that came meanwhile go first.
                    await asyncio.sleep(0.02)
            except Exception:
                log.exception("sweeping the store failed")
