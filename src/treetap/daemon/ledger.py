"""How far each probe has come in each node, so that what is missing is known exactly.

Rows of a probe in a node count from 0. A batch that begins past the expected number tells how many
were lost. One that begins before it comes from a node that began anew (it slept, or was armed
again): the count follows it.
"""

from __future__ import annotations

#: (node key, probe number)
Place = tuple[int, int]


class Ledger:
    def __init__(self) -> None:
        self._next: dict[Place, int] = {}
        self._nodes: set[int] = set()

    def knows(self, node: int) -> bool:
        """Whether this node was here since the daemon began."""
        return node in self._nodes

    def restore(self, node: int, progress: dict[int, int]) -> None:
        """What an earlier daemon wrote down of this node."""
        self._nodes.add(node)
        for probe, next_number in progress.items():
            self._next.setdefault((node, probe), next_number)

    def gap(self, place: Place, first_number: int, count: int) -> int:
        """Note rows ``first_number`` to ``first_number + count``; how many before them are missing.

        A probe never seen in this node is expected to begin at 0.
        """
        expected = self._next.get(place, 0)
        self._next[place] = first_number + count
        if first_number < expected:
            return first_number
        return first_number - expected

    def expected(self, place: Place) -> int:
        """The number that the next batch should begin with."""
        return self._next.get(place, 0)

    def rows_of(self, probe: int) -> int:
        """How many rows of a probe the nodes that are known have made, since they began anew."""
        return sum(count for place, count in self._next.items() if place[1] == probe)

    def begin_anew(self, node: int) -> None:
        """The node went to sleep: its probes will count from 0 again."""
        for place in [place for place in self._next if place[0] == node]:
            del self._next[place]

    def forget(self, node: int) -> None:
        """The process is gone for good."""
        self._nodes.discard(node)
        self.begin_anew(node)
