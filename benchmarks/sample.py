"""Numbers with their spread, and the claims that are made of them. Standard library only: this is
loaded by the workers of peers, whose environment has nothing of ours.
"""

from __future__ import annotations

from statistics import quantiles
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Sample(NamedTuple):
    """One measured quantity: the median of its rounds, and the quartiles around it."""

    median: float
    low: float
    high: float
    rounds: int

    def scaled(self, factor: float) -> Sample:
        return Sample(self.median * factor, self.low * factor, self.high * factor, self.rounds)


def sample(values: Iterable[float]) -> Sample:
    """The median and the quartiles of at least one value."""
    ordered = sorted(values)
    if len(ordered) == 1:
        return Sample(ordered[0], ordered[0], ordered[0], 1)
    low, median, high = quantiles(ordered, n=4, method="inclusive")
    return Sample(median, low, high, len(ordered))


class Claim(NamedTuple):
    """One line of the table.

    Attributes:
        group: Which benchmark it is of: the name of its file.
        name: What was measured.
        value: The measured quantity, in ``unit``.
        unit: Its unit; ``"x"`` for a ratio.
        at_most: The target, if it is an upper limit.
        at_least: The target, if it is a lower limit.
        note: What a reader must know: a condition, a limit, why a number is missing.
    """

    group: str
    name: str
    value: Sample | None
    unit: str = "ns"
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the target is reached; ``None`` where there is none, or no number."""
        if self.value is None or (self.at_most is None and self.at_least is None):
            return None
        if self.at_most is not None and self.value.median > self.at_most:
            return False
        return not (self.at_least is not None and self.value.median < self.at_least)

    def to_dict(self) -> dict[str, Any]:
        return {
            **self._asdict(),
            "value": self.value._asdict() if self.value else None,
            "is_met": self.is_met,
        }
