"""One probe in one target: where it sits there, and how it fares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treetap.daemon.target_place import NotYet, Place, resolve
from treetap.daemon.target_rows import Rows
from treetap.dap import Logpoint
from treetap.errors import DapError, LocationError, TargetError, TreetapError
from treetap.model.status import ProbeState, ProbeStatus

if TYPE_CHECKING:
    from treetap.daemon.target_identity import Registration
    from treetap.dap import Counts, Fault, Hit, Placed, Session
    from treetap.model.probe import Probe

#: Who evaluates, by language.
ADAPTERS = {
    "python": "debugpy",
    "go": "delve",
    "rust": "lldb-dap",
    "c": "lldb-dap",
    "cpp": "lldb-dap",
}


class TargetProbe:
    """The live side of a probe in a target.

    Args:
        probe: What is wanted.
        registration: Of the target.
        spent: How many rows it had of this process, in an earlier session.

    Attributes:
        place: Where it sits; ``None`` as long as there is no such place.
        rows: What wasn't sent on yet.
        recorded: Rows so far, those of earlier sessions too.
    """

    def __init__(self, probe: Probe, registration: Registration, spent: int = 0) -> None:
        self.probe = probe
        self.place: Place | None = None
        self.rows = Rows(probe.id, takes_snapshot=probe.snapshot)
        self.recorded = spent
        self._registration = registration
        self._spent = spent
        self._state = ProbeState.PENDING
        self._line = 0
        self._why = ""
        self._fault = ""
        self._error: TreetapError | None = None
        self._counts: Counts | None = None
        if probe.snapshot and registration.is_safe_mode:
            self.fail(_refused(registration))
        elif self._is_spent:
            self._state = ProbeState.DONE

    @property
    def is_live(self) -> bool:
        """Whether the adapter shall have it."""
        return self._state in (ProbeState.PENDING, ProbeState.ARMED)

    def fail(self, error: TreetapError) -> None:
        self._state = ProbeState.FAILED
        self._error = error

    async def find(self, session: Session) -> None:
        """Look for its place, unless that is known.

        Raises:
            DapError: The adapter is gone.
        """
        if isinstance(self._error, DapError):
            # It was refused, or too slow, the last time: it is tried again.
            self._error = None
            self._state = ProbeState.PENDING
        if self.place is not None or not self.is_live:
            return
        try:
            found = await resolve(self.probe.location, self._registration, session)
        except LocationError as exc:
            self.fail(exc)
            return
        if isinstance(found, NotYet):
            self._why = found.why
        else:
            self.place = found

    def logpoint(self) -> Logpoint:
        """What the adapter is asked for; its place must be known."""
        assert self.place is not None
        probe = self.probe
        return Logpoint(
            id=probe.id,
            line=self.place.line,
            expressions=probe.expressions,
            condition=probe.condition,
            mode=probe.mode,
            rate=probe.rate,
            max_hits=probe.max_hits and probe.max_hits - self._spent,
            wants_stack=probe.snapshot,
            wants_locals=probe.snapshot,
            limits=probe.limits,
        )

    def placed(self, placed: Placed) -> None:
        """The adapter's word."""
        if not self.is_live:
            return
        self._line = placed.line
        self._why = placed.message
        self._state = ProbeState.ARMED if placed.is_verified else ProbeState.PENDING

    def hit(self, hit: Hit) -> bool:
        """Take it; whether that was the last one."""
        if not self.is_live:
            return False
        self.rows.add(hit)
        self.recorded = max(self.recorded, self._spent + hit.number + 1)
        if not self._is_spent:
            return False
        self._state = ProbeState.DONE
        return True

    def fault(self, fault: Fault) -> None:
        self._fault = fault.text

    def counted(self, counts: Counts) -> None:
        self._counts = counts

    def status(self) -> ProbeStatus:
        counts, error = self._counts, self._error
        recorded = self.recorded - self._spent
        skipped = dict(counts.skipped) if counts is not None else {}
        hits = counts.hits if counts is not None else 0
        adapter = ADAPTERS[self._registration.language]
        return ProbeStatus(
            probe_id=self.probe.id,
            state=self._state,
            engine=f"logpoint of {adapter}",
            why="; ".join(filter(None, self._reasons(adapter))),
            sites=(f"{self.place.file}:{self._line or self.place.line}",) if self.place else (),
            error=(error.slug, error.what, error.hint) if error is not None else (),
            hits=max(hits, recorded + sum(skipped.values())),
            recorded=recorded,
            skipped=skipped,
        )

    @property
    def _is_spent(self) -> bool:
        probe = self.probe
        return bool(self.recorded and probe.mode == "first") or 0 < probe.max_hits <= self.recorded

    def _reasons(self, adapter: str) -> list[str]:
        reasons = [self._why, self._fault]
        if self.place is not None and self._line not in (0, self.place.line):
            reasons.append(f"{adapter} moved it here from line {self.place.line}")
        if self._counts is not None and self._counts.condition_error:
            reasons.append(f"its condition raised {self._counts.condition_error}")
        if self.is_live:
            reasons += self._shortcomings(adapter)
        return reasons

    def _shortcomings(self, adapter: str) -> list[str]:
        """What a node of our own would do better."""
        found = []
        if self._registration.language != "python":
            found.append(f"{adapter} stops the program for a moment at each hit")
        elif self.probe.safety == "strict":
            found.append(f"{adapter} evaluates it, and runs the program's code where it has to")
        if self.probe.budget_percent:
            found.append("its cost can't be measured from outside, so it has no budget")
        return found


def _refused(registration: Registration) -> TargetError:
    return TargetError(
        f"The target {registration.name} is in safe mode: no snapshot is taken from it.",
        "Name the values as expressions, or register it without safe mode.",
        slug="target-safe-mode",
    )
