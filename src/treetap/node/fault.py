"""Faults of ours inside somebody's program: counted and shown by ``status()``, never printed."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MAX_KEPT = 20


class FaultRecord:
    """The last faults of a node. Threads may add at once; a lost one is still counted or not
    worth a lock in somebody's program.
    """

    def __init__(self) -> None:
        self._kept: list[dict[str, Any]] = []
        self.total = 0

    def add(self, where: str, exception: BaseException) -> None:
        """Keep ``exception``, which ``where`` (a short phrase) survived."""
        self.total += 1
        line = getattr(exception, "line", None)
        if not isinstance(line, str):
            try:
                line = f"{type(exception).__name__}: {exception}"
            except Exception:  # noqa: BLE001 - a broken __str__ must not break the record
                line = type(exception).__name__
        self._kept.append({"where": where, "what": line[:500], "time_ns": time.time_ns()})
        del self._kept[:-_MAX_KEPT]

    def to_list(self) -> list[dict[str, Any]]:
        """The last ones, oldest first."""
        return list(self._kept)
