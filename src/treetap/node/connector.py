"""One attempt to reach the daemon, in a thread of its own: the shipper waits for nobody."""

from __future__ import annotations

import _thread

from treetap.node import thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from treetap.link.connection import LinkConnection
    from treetap.node.waking import Attempt


class Connector:
    """A thread that tries once to reach the daemon.

    Args:
        attempt: What is tried.
        ring: Called when it is over.
        unseen: Within it the thread is known for ours.

    Attributes:
        is_done: Whether it is over.
        connection: What came of it; the shipper closes it.
        fault: Why nothing came of it.
    """

    def __init__(
        self,
        attempt: Attempt,
        ring: Callable[[], None],
        unseen: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._attempt = attempt
        self._unseen = unseen
        self._ring = ring
        # Protects the handing over: either the shipper has the connection, or we close it.
        self._lock = _thread.allocate_lock()
        # Held until the attempt is over.
        self._trying = _thread.allocate_lock()
        self._trying.acquire()
        self._is_given_up = False
        self.is_done = False
        self.connection: LinkConnection | None = None
        self.fault: Exception | None = None

    def start(self) -> None:
        try:
            thread.start(self._run)
        except RuntimeError:
            # The process is ending: the shipper, which is that thread by now, waits for it here.
            self._run()

    def is_done_within(self, timeout_s: float) -> bool:
        """Wait for the end of the attempt."""
        is_over = self._trying.acquire(timeout=timeout_s)
        if is_over:
            self._trying.release()
        return is_over

    def give_up(self) -> None:
        """Whatever comes of it, nobody wants it any more."""
        with self._lock:
            self._is_given_up = True
            connection, self.connection = self.connection, None
        self._attempt.cancel()
        if connection is not None:
            connection.close()

    def abandon_in_child(self) -> None:
        """After a fork: close here what the parent's thread has opened."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()
        self._attempt.abandon_in_child()

    def _run(self) -> None:
        connection = None
        try:
            with self._unseen():
                connection = self._attempt.connect()
        except Exception as exc:  # noqa: BLE001 - the shipper tells of it
            self.fault = exc
        with self._lock:
            if not self._is_given_up:
                self.connection, connection = connection, None
            self.is_done = True
        if connection is not None:
            connection.close()
        self._trying.release()
        self._ring()
