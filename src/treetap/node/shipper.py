"""The shipper: the thread that takes rows out of the rings and sends them to the daemon.

It never waits for the daemon: sending is non-blocking, and reaching a daemon that is away is left
to another thread, so that the engine's clock (time to live, cost governor) ticks on. A daemon that
takes nothing for five seconds is taken for dead; its link is closed and another one tried, 0.1 to
5 seconds later, for as long as the node is awake.
"""

from __future__ import annotations

import _thread
import select
import time

from treetap.errors import LinkError
from treetap.model.status import ProbeState
from treetap.node import thread
from treetap.node.bell import Bell
from treetap.node.connector import Connector
from treetap.node.engine import readable_probes
from treetap.node.outbox import Outbox
from treetap.wire.message import status_to_wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treetap.link.connection import LinkConnection
    from treetap.model.probe import Probe
    from treetap.model.status import Batch, ProbeStatus
    from treetap.node.engine import ProbeSetLike
    from treetap.node.waking import Attempt

BUSY_INTERVAL_S = 0.005
IDLE_INTERVAL_S = 0.1
STATUS_INTERVAL_S = 1.0
STALL_TIMEOUT_S = 5.0
#: The first rows go out before the quicker encoding is loaded.
QUICKEN_AFTER_S = 0.2
MIN_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0

_DEFAULT_MAX_CHARS = 255
_NEVER_S = float("inf")
#: An attempt to reach a daemon that is there takes 2 ms; a fork waits a little for it.
_PAUSE_PATIENCE_S = 0.01
#: As many rows in one batch mean that there may be more.
_MANY_ROWS = 2048


class Shipper:
    """Ships for one probe set.

    Args:
        probe_set: Whose rows.
        connection: An open link, or ``None`` to begin by opening one.
        attempt: Makes an attempt to reach the daemon.
        on_sleep: Called, in a thread of its own, when the daemon says so.
        on_fault: Called with a phrase and an exception.

    Attributes:
        statuses: How the probes fared when we last looked.
    """

    def __init__(
        self,
        probe_set: ProbeSetLike,
        connection: LinkConnection | None,
        *,
        attempt: Callable[[], Attempt],
        on_sleep: Callable[[], Any],
        on_fault: Callable[[str, BaseException], None],
    ) -> None:
        self._probe_set = probe_set
        self._connection = connection
        self._make_attempt = attempt
        self._on_sleep = on_sleep
        self._on_fault = on_fault
        self.statuses: list[ProbeStatus] = []
        self._outbox = Outbox()
        self._revision = 0
        self._max_chars: dict[str, int] = {}
        self._stop_reason = ""
        self._stop_deadline_s = 0.0
        # Held while the thread lives; acquiring it is joining.
        self._living = _thread.allocate_lock()
        self._bell = Bell()
        self._is_paused = False
        self._is_threadless = False
        self._connector: Connector | None = None
        self._backoff_s = MIN_BACKOFF_S
        self._next_attempt_s = 0.0
        self._next_tick_s = 0.0
        self._next_status_s = 0.0
        self._quicken_s = time.monotonic() + QUICKEN_AFTER_S
        self._progress_s = 0.0
        self._is_status_due = True

    @property
    def is_connected(self) -> bool:
        """Whether there is a link right now."""
        return self._connection is not None

    def take_probes(self, message: dict[str, Any]) -> None:
        """Apply the probes of a ``welcome`` or ``probes`` message."""
        self._revision = int(message.get("revision", 0))
        self.apply(readable_probes(message.get("probes", ()), self._on_fault))

    def apply(self, probes: list[Probe]) -> None:
        """Make these the wanted probes."""
        self._max_chars = {probe.id: probe.limits.max_chars for probe in probes}
        self._probe_set.apply(probes)
        self.statuses = self._probe_set.statuses()
        self._is_status_due = True

    def inherit(self, other: Shipper) -> None:
        """After a fork: go on with the probes of the parent's shipper."""
        self._revision = other._revision
        self._max_chars = other._max_chars

    def start(self) -> None:
        """Begin to ship."""
        self._living.acquire()
        self._begin()

    def _begin(self) -> None:
        try:
            thread.start(self._run)
        except RuntimeError as exc:
            # The process is ending, or may have no more threads: `stop` ships what there is.
            self._on_fault("the start of the shipper", exc)
            self._is_threadless = True
            self._living.release()

    def stop(self, reason: str, timeout_s: float) -> None:
        """Ship what is left, say goodbye and end, all within ``timeout_s``; idempotent."""
        self._stop_deadline_s = time.monotonic() + timeout_s
        self._stop_reason = reason
        if self._is_threadless and self._living.acquire(blocking=False):
            self._is_threadless = False
            self._ship()
        # A little longer than it gives itself, so that it is really gone.
        if self._join(timeout_s + 0.5):
            self._close()  # if the thread was never started
            self._bell.close()

    def pause(self) -> None:
        """End the threads for now; rows stay in their rings."""
        self._is_paused = True
        is_gone = self._join(1.0)
        connector = self._connector
        if is_gone and connector is not None and not connector.is_done_within(_PAUSE_PATIENCE_S):
            # It waits for a daemon that doesn't answer.
            connector.give_up()
            self._connector = None

    def resume(self) -> None:
        """The opposite of ``pause``."""
        if self._is_paused and not self._stop_reason:
            self._is_paused = False
            # A thread that was too busy to end goes on: `_run` looks again as it ends.
            if self._living.acquire(blocking=False):
                self._begin()

    @property
    def thread_count(self) -> int:
        """How many threads there are of ours."""
        return int(self._living.locked()) + int(self._connector is not None)

    def abandon_in_child(self) -> None:
        """After a fork: close the parent's descriptors here; the parent's thread isn't here."""
        self._bell.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._connector is not None:
            self._connector.abandon_in_child()

    def _join(self, timeout_s: float) -> bool:
        self._bell.ring()
        is_gone = self._living.acquire(timeout=timeout_s)
        if is_gone:
            self._living.release()
        return is_gone

    def _run(self) -> None:
        while self._ship():
            # `resume` may have come since we saw the pause, and have found us alive.
            if self._is_paused or not self._living.acquire(blocking=False):
                return

    def _ship(self) -> bool:
        """Until the end, or a pause; whether it was a pause."""
        try:
            with self._probe_set.unseen():
                self._reach_out()
                while not self._stop_reason and not self._is_paused:
                    self._go_round()
                if self._stop_reason:
                    self._say_goodbye()
                    return False
            return True
        except BaseException as exc:  # noqa: BLE001 - it must not be printed in somebody's program
            self._on_fault("the shipper", exc)
            self._close()
            return False
        finally:
            self._living.release()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _go_round(self) -> None:
        interval_s = IDLE_INTERVAL_S
        try:
            interval_s = self._tend()
            if self._connection is None:
                self._reconnect()
        except Exception as exc:  # noqa: BLE001 - costs us data, not the shipper
            self._on_fault("the engine", exc)
        connection = self._connection
        if connection is None:
            self._bell.wait(interval_s)
            return
        try:
            self._push(connection)
            # Asking in vain would cost a busy program a change of threads each time.
            if self._wait(connection, interval_s) or connection.holds_received:
                while (message := connection.receive(0)) is not None:
                    self._obey(message)
        except LinkError as exc:
            self._lose(connection, exc)

    def _tend(self) -> float:
        """Let the engine do what is due and take its rows; returns how long to wait after that."""
        now_s = time.monotonic()
        if now_s >= self._next_tick_s:
            self._next_tick_s = now_s + BUSY_INTERVAL_S * 0.8
            self._is_status_due |= self._probe_set.tick()
        if self._connection is not None:
            self._take_rows()
        if self._is_status_due or now_s >= self._next_status_s:
            self._is_status_due = False
            self._next_status_s = now_s + STATUS_INTERVAL_S
            self._report()
        if now_s >= self._quicken_s and self._connection is not None:
            self._quicken_s = _NEVER_S
            self._outbox.quicken()
        return IDLE_INTERVAL_S if self._probe_set.is_idle else BUSY_INTERVAL_S

    def _report(self) -> None:
        self.statuses = self._probe_set.statuses()
        if self._connection is not None:
            self._outbox.add(status_to_wire(self._revision, self.statuses))

    def _take_rows(self) -> None:
        """Take rows until the rings are about empty, or the outbox is full."""
        while not self._outbox.is_full:
            batches = self._probe_set.drain()
            for batch in batches:
                self._pack(batch)
            if not any(len(batch.rows) >= _MANY_ROWS for batch in batches):
                return

    def _pack(self, batch: Batch) -> None:
        max_chars = self._max_chars.get(batch.probe_id, _DEFAULT_MAX_CHARS)
        try:
            self._outbox.add_batch(batch, max_chars)
        except Exception as exc:  # noqa: BLE001 - the gap in the numbers tells of the loss
            self._on_fault(f"a batch of probe {batch.probe_id}", exc)

    def _push(self, connection: LinkConnection) -> None:
        now_s = time.monotonic()
        if self._outbox.push(connection) or not self._outbox:
            self._progress_s = now_s
        elif now_s - self._progress_s > STALL_TIMEOUT_S:
            raise LinkError("The daemon takes nothing any more.", slug="link-closed")

    def _obey(self, message: Any) -> None:
        kind = message.get("type") if isinstance(message, dict) else None
        try:
            if kind == "probes":
                self.take_probes(message)
                self._next_tick_s = 0.0
            elif kind == "sleep":
                thread.start(self._sleep_quietly)
        except Exception as exc:  # noqa: BLE001 - one bad message must not end the link
            self._on_fault(f"a message of the daemon ({kind})", exc)

    def _sleep_quietly(self) -> None:
        try:
            self._on_sleep()
        except Exception as exc:  # noqa: BLE001 - nobody is there to tell
            self._on_fault("the daemon's wish to sleep", exc)

    def _lose(self, connection: LinkConnection, cause: LinkError) -> None:
        self._on_fault("the link", cause)
        self._connection = None
        connection.close()
        self._outbox.start_over()
        self._backoff_s = MIN_BACKOFF_S
        self._next_attempt_s = time.monotonic() + _spread(MIN_BACKOFF_S)

    def _reconnect(self) -> None:
        connector = self._connector
        if connector is None:
            self._reach_out()
            return
        if not connector.is_done:
            return
        self._connector = None
        if connector.connection is not None:
            self._connection = connector.connection
            self._backoff_s = MIN_BACKOFF_S
            self._progress_s = time.monotonic()
            self.take_probes(connector.connection.welcome)
            return
        if connector.fault is not None and self._backoff_s == MIN_BACKOFF_S:
            self._on_fault("reaching the daemon", connector.fault)
        self._next_attempt_s = time.monotonic() + _spread(self._backoff_s)
        self._backoff_s = min(self._backoff_s * 2, MAX_BACKOFF_S)

    def _reach_out(self) -> None:
        is_due = time.monotonic() >= self._next_attempt_s
        if self._connection is None and self._connector is None and is_due:
            self._connector = Connector(
                self._make_attempt(), self._bell.ring, self._probe_set.unseen
            )
            self._connector.start()

    def _say_goodbye(self) -> None:
        try:
            if self._stop_reason == "sleep":
                # Hits between here and the end of the engine would be in no row and in no count.
                self._probe_set.disarm()
            self._take_rows()
            connection = self._last_connection()
            if connection is None:
                return
            self._take_last_rows(connection)
            self._report()
            self._outbox.add({"type": "bye", "reason": self._stop_reason})
            while self._outbox and self._remaining_s() > 0:
                self._outbox.push(connection)
                if self._outbox:
                    connection.wait_writable(self._remaining_s())
        except LinkError:
            pass  # it is gone before us
        finally:
            self._close()

    def _last_connection(self) -> LinkConnection | None:
        """The link, or the one that is being opened, if there is something to tell: rows, or why
        there are none.

        A process may live shorter than it takes to reach the daemon.
        """
        connector, self._connector = self._connector, None
        if connector is None:
            return self._connection
        is_awaited = bool(self._outbox) or any(
            status.state == ProbeState.FAILED for status in self._probe_set.statuses()
        )
        while is_awaited and not connector.is_done and self._remaining_s() > 0:
            self._bell.wait(self._remaining_s())
        self._connection = connector.connection if connector.is_done else None
        if self._connection is None:
            connector.give_up()
        return self._connection

    def _remaining_s(self) -> float:
        return max(0.0, self._stop_deadline_s - time.monotonic())

    def _take_last_rows(self, connection: LinkConnection) -> None:
        """All that is in the rings; more comes while the program runs, so the time is limited."""
        self._take_rows()
        while self._outbox.is_full and self._remaining_s() > 0:
            self._outbox.push(connection)
            if self._outbox.is_full:
                connection.wait_writable(self._remaining_s())
            self._take_rows()

    def _wait(self, connection: LinkConnection, timeout_s: float) -> bool:
        """Whether there is something to be received."""
        events = select.POLLIN | (select.POLLOUT if self._outbox else 0)
        try:
            return self._bell.wait(timeout_s, connection, events)[1]
        except (OSError, ValueError) as exc:
            raise LinkError("The link is closed.", str(exc), slug="link-closed") from exc


def _spread(seconds: float) -> float:
    """Up to a fifth more, so that a hundred processes don't come back at the same moment."""
    return seconds * (1 + (time.time_ns() // 1000 % 1000) / 5000)
