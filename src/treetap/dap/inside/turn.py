"""Which of the hits of a logpoint record: its hit condition, mode and limit.

For adapters whose own hit conditions differ from one to the next; so it is done by us, and means the
same everywhere. The text of this file also goes into Python programs (see ``agent``), next to where the
hits are: it imports nothing of treetap's.
"""

from __future__ import annotations

import re
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HIT_CONDITION = re.compile(r"(==|=|>=|<=|>|<|%)?\s*([0-9]{1,12})")
_COMPARE: dict[str, Any] = {
    "==": lambda count, number: count == number,
    ">": lambda count, number: count > number,
    ">=": lambda count, number: count >= number,
    "<": lambda count, number: count < number,
    "<=": lambda count, number: count <= number,
    "%": lambda count, number: count % number == 0,
}


def hit_condition(text: str) -> tuple[str, int] | None:
    """Operator and number of ``"3"``, ``">=3"``, ``"%3"``; ``None`` of ``""``.

    Raises:
        ValueError: It is none of these.
    """
    if not text.strip():
        return None
    found = _HIT_CONDITION.fullmatch(text.strip())
    if found is None or (found[1] == "%" and int(found[2]) == 0):
        raise ValueError(f"{text!r} is no hit condition: write 3, >3, >=3, <3, <=3 or %3")
    operator = "==" if found[1] in (None, "=") else found[1]
    return operator, int(found[2])


class Turn:
    """The memory of one logpoint. The caller keeps two threads from asking at once.

    Args:
        mode, rate, max_hits: As of ``Logpoint``.
        condition: What ``hit_condition`` made of its text.
    """

    def __init__(
        self, mode: str, rate: float, max_hits: int, condition: tuple[str, int] | None
    ) -> None:
        self.mode = mode
        self.rate = rate
        self.max_hits = max_hits
        self.condition = condition
        self.seen = self.passed = self.recorded = 0
        self.due_s = 0.0
        self.passed_s: deque[float] = deque(maxlen=max(1, int(rate)))

    def why_not(self, now_s: float) -> str:
        """The reason, a ``SkipReason``, why this hit doesn't record; ``""`` if it does.

        Args:
            now_s: Of a clock that only goes forward.
        """
        self.seen += 1
        if self.condition is not None:
            operator, number = self.condition
            if not _COMPARE[operator](self.seen, number):
                return "condition"
        if self.max_hits and self.recorded >= self.max_hits:
            return "max_hits"
        reason = self._why_not_by_mode(now_s)
        if not reason:
            self.recorded += 1
        return reason

    def _why_not_by_mode(self, now_s: float) -> str:
        if self.mode == "first":
            return "first" if self.recorded else ""
        if self.mode == "sample":
            self.passed += 1
            return "sample" if (self.passed - 1) % max(1, int(self.rate)) else ""
        if self.mode == "sample_interval":
            return self._why_not_yet(now_s, self.rate, "sample_interval")
        if self.mode == "throttle" and self.rate < 1:
            return self._why_not_yet(now_s, 1 / self.rate if self.rate else 1.0, "throttle")
        if self.mode == "throttle":
            full = len(self.passed_s) == self.passed_s.maxlen
            if full and now_s - self.passed_s[0] < int(self.rate) / self.rate:
                return "throttle"
            self.passed_s.append(now_s)
        return ""

    def _why_not_yet(self, now_s: float, pause_s: float, reason: str) -> str:
        if self.recorded and now_s < self.due_s:
            return reason
        self.due_s = now_s + pause_s
        return ""
