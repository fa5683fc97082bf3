"""What happens at a hit: condition, then rate, then values, then a row in the ring.

This is the path of every hit that the code of ``snippet`` can't serve by itself: values that are not
plain scalars, conditions on them, rates, names that aren't bound. It runs in the program's own
thread, between two of its lines, so whatever goes wrong here stays here: it is counted, and the
program goes on. ``Exception`` is caught and never ``BaseException``: a ctrl-c that lands in our frame
is the program's.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock, get_ident
from itertools import count
from time import monotonic, perf_counter_ns, time_ns

from treetap.expression.syntax import check, names
from treetap.interpreter import deque
from treetap.model.captured import SkipReason
from treetap.probe.ring import Counter, Ring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType
    from typing import Any

    from treetap.expression.redaction import Redaction
    from treetap.model.probe import Probe
    from treetap.probe.taking import Taking

_SKIPS = (
    SkipReason.CONDITION,
    SkipReason.CONDITION_ERROR,
    SkipReason.SAMPLE,
    SkipReason.INTERVAL,
    SkipReason.FIRST,
    SkipReason.THROTTLE,
    SkipReason.MAX_HITS,
    SkipReason.REENTRY,
    SkipReason.BUDGET,
    SkipReason.FAULT,
)


class Recorder:
    """One probe in one process: its ring, its counters, and what it does at a hit.

    Args:
        probe: What to record.
        redaction: Which names are hidden.
        busy_threads: The threads that are inside a recorder right now; shared by all recorders of
            a process, so that a hit caused by recording a hit is not recorded.

    Raises:
        ExpressionError: An expression or the condition isn't allowed.
    """

    def __init__(self, probe: Probe, redaction: Redaction, busy_threads: set[int]) -> None:
        self.probe = probe
        self.ring = Ring()
        self.skipped = {reason: Counter() for reason in _SKIPS}
        #: Time spent in here, for the budget; lost updates between threads don't matter.
        self.spent_ns = 0
        self.slow_hits = 0
        self.observe: Callable[[Mapping[str, Any]], None] | None = None
        self._redaction = redaction
        self._busy_threads = busy_threads
        self._gate = _gate(probe)
        self.trees = tuple(
            check(text, safety=probe.safety, redaction=redaction) for text in probe.expressions
        )
        self.condition_tree = None
        if probe.condition:
            self.condition_tree = check(probe.condition, safety=probe.safety, redaction=redaction)
        wanted = [name for tree in self.trees for name in names(tree)]
        if self.condition_tree is not None:
            wanted += names(self.condition_tree)
        #: Every name that the probe reads, once each.
        self.names = tuple(dict.fromkeys(wanted))
        self._taking: Taking | None = None
        if probe.safety == "trusted":
            self.prepare()  # Python's compiler may refuse what Python's parser takes

    def prepare(self) -> Taking:
        """Load what a hit needs, and compile the expressions, unless that is done; a hit does it else.

        Raises:
            SyntaxError, ValueError: A trusted expression can't be compiled.
        """
        if self._taking is None:
            # Not before there is a hit, or time: it takes 2 ms, and a child of an awake tree waits for
            # this probe to be armed before its first line.
            from treetap.probe.taking import Taking

            self._taking = Taking(self.probe, self._redaction, self.trees, self.condition_tree)
        return self._taking

    def hit(self, *values: Any) -> None:
        """A hit, with the values of ``names`` in their order; not for snapshots. Never raises."""
        self._guarded(dict(zip(self.names, values, strict=False)), None)

    def hit_here(self) -> None:
        """A hit in the calling frame. Never raises."""
        try:
            self.hit_in(sys._getframe(1))
        except Exception:
            self.skipped[SkipReason.FAULT].add()

    def hit_in(self, frame: FrameType) -> None:
        """A hit in ``frame``. Never raises."""
        try:
            self._guarded(None, frame)
        except Exception:
            self.skipped[SkipReason.FAULT].add()

    def hit_throttled(self, _frame: FrameType) -> None:
        """A hit of a probe that is over its budget: only counted."""
        self.skipped[SkipReason.BUDGET].add()

    def _guarded(self, lookup: Mapping[str, Any] | None, frame: FrameType | None) -> None:
        thread = get_ident()
        if thread in self._busy_threads:
            self.skipped[SkipReason.REENTRY].add()
            return
        started_ns = perf_counter_ns()
        try:
            # Within the `try`: a ctrl-c lands right after a call, and must not leave us busy for ever.
            self._busy_threads.add(thread)
            taking = self._taking or self.prepare()
            self._record(taking, lookup if lookup is not None else taking.names_of(frame), frame)
        except Exception:
            self.skipped[SkipReason.FAULT].add()
        finally:
            self._busy_threads.discard(thread)
            self.slow_hits += 1
            self.spent_ns += perf_counter_ns() - started_ns

    def _record(self, taking: Taking, lookup: Mapping[str, Any], frame: FrameType | None) -> None:
        now_ns = time_ns()
        if self.observe is not None:
            self.observe(lookup)
        if taking.condition is not None:
            try:
                is_true = taking.condition(lookup)
            except Exception:
                self.skipped[SkipReason.CONDITION_ERROR].add()
                return
            if not is_true:
                self.skipped[SkipReason.CONDITION].add()
                return
        if self._gate is not None:
            reason = self._gate()
            if reason is not None:
                self.skipped[reason].add()
                return
        self.ring.append((now_ns, *taking.values(lookup, frame)))

    @property
    def is_done(self) -> bool:
        """Whether it can never record again."""
        probe, recorded = self.probe, self.ring.appended
        return bool(recorded and probe.mode == "first") or 0 < probe.max_hits <= recorded

    @property
    def hits(self) -> int:
        return self.ring.appended + sum(counter.value for counter in self.skipped.values())

    def start_over(self) -> None:
        """After a fork, in the child: nothing of the parent's counts."""
        self.ring.start_over()
        for counter in self.skipped.values():
            counter.start_over()
        self.spent_ns = self.slow_hits = 0
        self._gate = _gate(self.probe)


def _gate(probe: Probe) -> Callable[[], str | None] | None:
    """The probe's mode and hit limit: called once a hit, it says why not, or ``None``.

    A ticket from ``itertools.count`` is drawn in one step, so that no two threads get the same.
    """
    passes_mode = _MODE_GATES[probe.mode](probe.rate)
    if not probe.max_hits:
        return passes_mode
    tickets, limit = count(), probe.max_hits

    def passes() -> str | None:
        reason = passes_mode() if passes_mode is not None else None
        if reason is None and next(tickets) >= limit:
            reason = SkipReason.MAX_HITS
        return reason

    return passes


def _gate_stream(_rate: float) -> None:
    return None


def _gate_first(_rate: float) -> Callable[[], str | None]:
    tickets = count()
    return lambda: SkipReason.FIRST if next(tickets) else None


def _gate_sample(rate: float) -> Callable[[], str | None]:
    tickets, every = count(), max(1, int(rate))
    return lambda: SkipReason.SAMPLE if next(tickets) % every else None


def _gate_interval(rate: float) -> Callable[[], str | None]:
    due_s = [0.0]
    lock = allocate_lock()

    def passes() -> str | None:
        # Another thread is deciding about this very moment: it takes the hit, this one doesn't.
        if monotonic() < due_s[0] or not lock.acquire(blocking=False):
            return SkipReason.INTERVAL
        try:
            now_s = monotonic()
            if now_s < due_s[0]:
                return SkipReason.INTERVAL
            due_s[0] = now_s + rate
            return None
        finally:
            lock.release()

    return passes


def _gate_throttle(rate: float) -> Callable[[], str | None]:
    """At most ``rate`` hits in any second: a hit passes if the one ``rate`` before is 1 s old."""
    if rate < 1:
        interval = _gate_interval(1 / rate)
        return lambda: SkipReason.THROTTLE if interval() else None
    passed_s: deque[float] = deque(maxlen=int(rate))
    window_s = int(rate) / rate
    lock = allocate_lock()

    def passes() -> str | None:
        with lock:
            now_s = monotonic()
            if len(passed_s) == passed_s.maxlen and now_s - passed_s[0] < window_s:
                return SkipReason.THROTTLE
            passed_s.append(now_s)
            return None

    return passes


_MODE_GATES: dict[str, Callable[[float], Callable[[], str | None] | None]] = {
    "stream": _gate_stream,
    "first": _gate_first,
    "sample": _gate_sample,
    "sample_interval": _gate_interval,
    "throttle": _gate_throttle,
}
