"""How many rows each probe has had of a target's process, in sessions that are over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treetap.wire.message import probe_from_dict, probe_to_dict

if TYPE_CHECKING:
    from treetap.model.probe import Probe


class Spent:
    """A process that is attached to again goes on with what it had: `max_hits` is of its whole life.

    Args:
        node_id: Of the process.

    Attributes:
        rows: By the probe's id: how it was, for one that was changed begins anew, and its rows.
    """

    def __init__(self, node_id: str = "") -> None:
        self.rows: dict[str, tuple[Probe, int]] = {}
        self._node_id = node_id

    def begin(self, node_id: str) -> None:
        """This process is observed from now on; another's rows are none of its."""
        if self._node_id != node_id:
            self._node_id = node_id
            self.rows.clear()

    def to_plain(self) -> dict[str, Any]:
        """For the next daemon."""
        rows = [[probe_to_dict(probe), count] for probe, count in self.rows.values()]
        return {"node": self._node_id, "rows": rows}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Spent:
        """Raises ``KeyError``, ``TypeError`` or ``ValueError`` for what isn't from ``to_plain``."""
        spent = cls(str(plain["node"]))
        for fields, count in plain["rows"]:
            probe = probe_from_dict(fields)
            spent.rows[probe.id] = (probe, int(count))
        return spent
