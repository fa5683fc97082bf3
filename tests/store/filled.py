"""A store with a node and a probe, to put rows into."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from treetap.model.node import NodeIdentity
from treetap.store import EventBatch, EventFilter, Store
from treetap.store.schema import node_key

if TYPE_CHECKING:
    from pathlib import Path

NODE = NodeIdentity(name="shop", pid=11, start_ns=5, host="here", tree="11-5")
OTHER = NodeIdentity(name="cart", pid=12, start_ns=6, host="here", tree="11-5")
SECOND = 10**9
NOON = 1_700_000_000 * SECOND


class Opened(Store):
    """A store in a folder, with shortcuts for tests."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.path = folder / "treetap.db"
        super().__init__(f"sqlite:///{self.path}", **settings)
        for node in (NODE, OTHER):
            self.save_node(node, connected_at_s=1.0).result(10)

    def put(
        self,
        values: list[list[Any]],
        *,
        probe: int = 1,
        node: NodeIdentity = NODE,
        first_number: int = 0,
        start_ns: int = NOON,
    ) -> int:
        """Submit rows a second apart; the first id."""
        first_id = self.new_ids(len(values))
        assert first_id is not None
        rows = [[start_ns + i * SECOND, *row] for i, row in enumerate(values)]
        batch = EventBatch(first_id, probe, node_key(node), first_number, rows, 100)
        assert self.submit(batch)
        return first_id

    def found(self, **wanted: Any) -> list[int]:
        """Numbers of the events that match, oldest first."""
        self.flush()
        page = self.events(EventFilter(**wanted), limit=1000, is_ascending=True)
        return [event["number"] for event in page.events]

    def sql(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the file itself."""
        connection = sqlite3.connect(self.path)
        try:
            with connection:
                return connection.execute(text, values).fetchall()
        finally:
            connection.close()
