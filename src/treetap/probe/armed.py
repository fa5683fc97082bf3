"""One probe, armed in this process: its recorder, its sites, its state, its budget."""

from __future__ import annotations

from time import monotonic

from treetap.model.captured import SkipReason
from treetap.model.status import ProbeState, ProbeStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from treetap.errors import TreetapError
    from treetap.model.probe import Probe
    from treetap.probe.fastpath import FastPath, Learner
    from treetap.probe.lookup import Site
    from treetap.probe.recorder import Recorder

#: Hits that the hot code may hand back before the types are learned anew, and how often at most.
_MISSES_BEFORE_RELEARNING = 200
_MAX_LEARNED = 4
#: Faults of ours after which a probe is taken out.
_MAX_FAULTS = 1000
#: What a hot hit costs, in ns: taking (``benchmarks/hit.py``), encoding and sending.
_HOT_HIT_NS = 150
_SHIPPED_ROW_NS = 350
_SKIPPED_HIT_NS = 15
#: A probe over its budget counts only, until the second is over; this often, and it is tripped.
_THROTTLED_BEFORE_TRIPPING = 60
_WINDOW_S = 1.0


class ArmedProbe:
    """The live side of a probe. Owned, and changed, by the ``ProbeSet`` under its lock."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.recorder: Recorder | None = None
        self.state = ProbeState.PENDING
        self.why = ""
        self.error: tuple[str, ...] = ()
        self.sites: list[Site] = []
        self.engines: dict[str, str] = {}
        self.differs = False
        self.fast: FastPath | None = None
        self.is_throttled = False
        self._learner: Learner | None = None
        self._learned = 0
        self._misses_at = 0
        self._window_ends_s = 0.0
        self._spent_at_ns = 0.0
        self._throttled_windows = 0

    def fail(self, exc: TreetapError) -> None:
        self.state = ProbeState.FAILED
        self.error = (exc.slug, exc.what, exc.hint)

    def fault(self, exc: Exception) -> None:
        """Something is wrong with treetap itself: it costs the user this probe, and nothing else."""
        self.state = ProbeState.FAILED
        self.error = ("fault", f"treetap could not arm it: {type(exc).__name__}: {exc}", "")

    def adopt(self, recorder: Recorder) -> None:
        """Begin to record with ``recorder``."""
        self.recorder = recorder
        recorder.observe = self._begin_to_learn

    def prepare(self) -> Learner | None:
        """Load what the first hit needs: see ``Recorder.prepare``."""
        if self._learner is None and self.recorder is not None:
            from treetap.probe.fastpath import Learner

            self.recorder.prepare()
            self._learner = Learner(self.recorder)
        return self._learner

    def _begin_to_learn(self, lookup: Mapping[str, Any]) -> None:
        """At the first hit."""
        learner = self.prepare()
        if learner is not None:
            learner.watch()
            learner.observe(lookup)

    @property
    def is_live(self) -> bool:
        return self.state in (ProbeState.PENDING, ProbeState.ARMED)

    def ends(self, now_s: float) -> str:
        """The state in which it has to end now, or ``""``."""
        if 0 < self.probe.expires_at_s <= now_s:
            return ProbeState.EXPIRED
        recorder = self.recorder
        if recorder is None or self.state != ProbeState.ARMED:
            return ""
        if recorder.is_done:
            return ProbeState.DONE
        if recorder.skipped[SkipReason.FAULT].value > _MAX_FAULTS:
            self.why = "faults inside treetap"
            return ProbeState.TRIPPED
        if self._throttled_windows > _THROTTLED_BEFORE_TRIPPING:
            self.why = f"over its budget of {self.probe.budget_percent:g} % of a core for a minute"
            return ProbeState.TRIPPED
        return ""

    def learns(self) -> bool:
        """Whether there is a new plan for the hot code, now in ``fast``."""
        learner, recorder = self._learner, self.recorder
        if learner is None or recorder is None or self._learned >= _MAX_LEARNED:
            return False
        if self.fast is not None and not self.fast.still_holds():
            self.fast = None
            self._learned = _MAX_LEARNED
            return True
        if (
            recorder.observe is None
            and recorder.slow_hits - self._misses_at > _MISSES_BEFORE_RELEARNING
        ):
            if not learner.has_seen_enough or self.fast is not None:
                learner.watch()
            self._misses_at = recorder.slow_hits
        if not learner.has_seen_enough or recorder.observe is not None:
            return False
        learner.watched = 0
        self._learned += 1
        self._misses_at = recorder.slow_hits
        plan = learner.plan()
        is_new = plan is not None or self.fast is not None
        self.fast = plan
        return is_new

    def keeps_to_budget(self) -> bool:
        """Measure a window; ``True`` if the probe has to be throttled, or let go again."""
        recorder = self.recorder
        if recorder is None or not self.probe.budget_percent or self.state != ProbeState.ARMED:
            return False
        now_s = monotonic()
        spent_ns = self._cost_ns(recorder)
        if now_s >= self._window_ends_s:
            self._window_ends_s = now_s + _WINDOW_S
            self._spent_at_ns = spent_ns
            if not self.is_throttled:
                self._throttled_windows = 0
                return False
            self.is_throttled = False
            return True
        allowed_ns = self.probe.budget_percent / 100 * _WINDOW_S * 1e9
        if self.is_throttled or spent_ns - self._spent_at_ns <= allowed_ns:
            return False
        self.is_throttled = True
        self._throttled_windows += 1
        return True

    @staticmethod
    def _cost_ns(recorder: Recorder) -> float:
        recorded = recorder.ring.appended
        hot = max(0, recorded - recorder.slow_hits)
        skipped = recorder.skipped[SkipReason.CONDITION].value
        return (
            recorder.spent_ns
            + hot * _HOT_HIT_NS
            + recorded * _SHIPPED_ROW_NS
            + skipped * _SKIPPED_HIT_NS
        )

    def start_over(self) -> None:
        """After a fork, in the child: the parent's costs and hits are the parent's."""
        if self.recorder is not None:
            self.recorder.start_over()
        self._misses_at = 0
        self._window_ends_s = self._spent_at_ns = 0.0
        self._throttled_windows = 0

    def status(self) -> ProbeStatus:
        recorder = self.recorder
        engines = "+".join(sorted(set(self.engines) - {""}))
        reasons = "; ".join(dict.fromkeys(reason for reason in self.engines.values() if reason))
        why = self.why or reasons
        if self.is_throttled:
            why = f"throttled: over its budget of {self.probe.budget_percent:g} % of a core"
        if recorder is None:
            return ProbeStatus(self.probe.id, self.state, why=why, error=self.error)
        recorded = recorder.ring.appended
        skipped = {
            reason: counter.value for reason, counter in recorder.skipped.items() if counter.value
        }
        return ProbeStatus(
            probe_id=self.probe.id,
            state=self.state,
            engine=engines if self.state == ProbeState.ARMED else "",
            why=why,
            sites=tuple(dict.fromkeys(str(site) for site in self.sites)),
            differs=self.differs,
            error=self.error,
            # Summed here: asked for once more, the counters would have gone on meanwhile.
            hits=recorded + sum(skipped.values()),
            recorded=recorded,
            skipped=skipped,
            lost=recorder.ring.lost,
        )
