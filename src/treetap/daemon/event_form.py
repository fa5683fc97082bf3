"""Events as the API shows them: one shape for the live feed and for the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec.json

if TYPE_CHECKING:
    from treetap.daemon.record import ProbeRecord
    from treetap.model.node import NodeIdentity
    from treetap.store import EventBatch


def hits(batch: EventBatch, record: ProbeRecord, node: NodeIdentity) -> list[dict[str, Any]]:
    """The events of a batch."""
    probe = record.probe
    about = {
        "probe": probe.id,
        "probe_name": probe.name,
        "location": str(probe.location),
        "node": node.id,
        "pid": node.pid,
        "name": node.name,
        "tree": node.tree,
    }
    keys = record.keys
    return [
        {
            "kind": "hit",
            "id": batch.first_id + i,
            **about,
            "number": batch.first_number + i,
            "time_ns": row[0],
            "values": dict(zip(keys, row[1:], strict=False)),
        }
        for i, row in enumerate(batch.rows)
    ]


class StoredEvents:
    """Makes events of the store's rows; reads each probe's definition once."""

    def __init__(self) -> None:
        self._definitions: dict[int, dict[str, Any]] = {}

    def event(self, row: dict[str, Any]) -> dict[str, Any]:
        definition = self._definition(row["probe"], row["definition"])
        captured = msgspec.json.decode(row["captured"])
        event = {
            "kind": "loss" if row["lost"] else "hit",
            "id": row["id"],
            "probe": f"p{row['probe']}",
            "probe_name": definition.get("name", ""),
            "location": definition.get("location", ""),
            "node": row["node_id"] or "",
            "pid": row["pid"] or 0,
            "name": row["name"] or "",
            "tree": row["tree"] or "",
            "number": row["number"],
            "time_ns": row["time_ns"],
        }
        if row["lost"]:
            return {**event, "lost": row["lost"], "where": captured}
        return {**event, "values": dict(zip(_keys(definition, captured), captured, strict=False))}

    def _definition(self, number: int, text: str | None) -> dict[str, Any]:
        if number not in self._definitions:
            self._definitions[number] = msgspec.json.decode(text) if text else {}
        return self._definitions[number]


def _keys(definition: dict[str, Any], captured: list[Any]) -> list[str]:
    keys = list(definition.get("expressions", ()))
    if definition.get("snapshot"):
        keys.append("snapshot")
    # Only if a foreign hand removed the probe from the store.
    return keys or [str(i) for i in range(len(captured))]
