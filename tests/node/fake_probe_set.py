"""A small ``ProbeSet`` for tests of the node: holds rows that the test puts in, arms nothing."""

from __future__ import annotations

import contextlib
import threading

from treetap.model.status import Batch, ProbeState, ProbeStatus


class FakeProbeSet:
    """Obeys the same contract as the real one (tests/contract/test_probe_set.py)."""

    def __init__(self) -> None:
        self.wanted = ()
        self.ticks = 0
        self.is_closed = False
        self.children_started = 0
        self.is_held = False
        self.is_prepared = False
        self._rows = {}
        self._numbers = {}
        self._is_changed = False
        # The real one does without: its rings are made for it.
        self._lock = threading.Lock()

    def apply(self, probes) -> None:
        self.wanted = tuple(probes)
        kept = {probe.id for probe in self.wanted}
        self._rows = {id: rows for id, rows in self._rows.items() if id in kept}
        self._is_changed = True

    def prepare(self) -> None:
        self.is_prepared = True

    def statuses(self) -> list[ProbeStatus]:
        return [
            ProbeStatus(
                probe_id=probe.id,
                state=ProbeState.ARMED,
                engine="injecting",
                sites=(f"{probe.location} somewhere",),
                hits=self._numbers.get(probe.id, 0),
                recorded=self._numbers.get(probe.id, 0),
            )
            for probe in self.wanted
        ]

    def drain(self) -> list[Batch]:
        with self._lock:
            rows, self._rows = self._rows, {}
            return [Batch(id, self._numbers[id] - len(each), each) for id, each in rows.items()]

    def tick(self) -> bool:
        self.ticks += 1
        was_changed, self._is_changed = self._is_changed, False
        return was_changed

    def unseen(self):
        return contextlib.nullcontext()

    def hold_for_fork(self) -> None:
        self.is_held = True

    def release_after_fork(self) -> None:
        self.is_held = False

    def start_over_in_child(self) -> None:
        self._lock = threading.Lock()
        self.children_started += 1
        self._rows, self._numbers = {}, {}

    def disarm(self) -> None:
        self.is_disarmed = True

    def close(self) -> None:
        self.wanted = ()
        self._rows = {}
        self.is_closed = True

    @property
    def is_idle(self) -> bool:
        return not self.wanted

    def hit(self, probe_id: str, *row) -> None:
        """What an armed site would do."""
        with self._lock:
            self._numbers[probe_id] = self._numbers.get(probe_id, 0) + 1
            self._rows.setdefault(probe_id, []).append(row)
