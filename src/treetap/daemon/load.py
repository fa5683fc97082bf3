"""What the daemon's process costs: CPU and memory."""

from __future__ import annotations

import time

import psutil

#: Two questions in a row get one answer: over a shorter time a percentage means nothing.
_MIN_SPAN_S = 1.0


class Load:
    """Measures from its making on, and then from question to question."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._at_s = time.monotonic()
        self._used_s = self._cpu_s()
        self._percent = 0.0
        self._has_answer = False

    @property
    def cpu_seconds(self) -> float:
        """CPU that the process has used since it began, of all its threads."""
        return self._cpu_s()

    @property
    def cpu_percent(self) -> float:
        """Of one core, since the last question that was a second or more ago."""
        now_s, used_s = time.monotonic(), self._cpu_s()
        span_s = now_s - self._at_s
        if span_s >= _MIN_SPAN_S or (span_s > 0 and not self._has_answer):
            self._percent = 100 * max(0.0, used_s - self._used_s) / span_s
            if span_s >= _MIN_SPAN_S:
                self._at_s, self._used_s, self._has_answer = now_s, used_s, True
        return self._percent

    @property
    def memory_bytes(self) -> int:
        """Resident."""
        return int(self._process.memory_info().rss)

    def _cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)
