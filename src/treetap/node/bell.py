"""A bell: wakes a thread that waits for sockets, from another thread."""

from __future__ import annotations

import os
import time
from errno import EBADF

from treetap.link.lifting import is_closed, lift, take_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Bell:
    """Wait for a socket or for the bell, whichever comes first."""

    def __init__(self) -> None:
        self._heard, self._pulled = map(lift, _pipe())
        self._was_signalled = False
        #: When the program had closed our descriptors; it may be at the others still.
        self.mended_s = float("-inf")

    @property
    def pulled(self) -> int:
        """The descriptor that rings it; what is written there beside ``!`` is a signal's word."""
        return self._pulled

    def take_signal(self) -> bool:
        """Whether a signal has written to it since this was last asked."""
        was_signalled, self._was_signalled = self._was_signalled, False
        return was_signalled

    def ring(self) -> None:
        """Wake the waiting thread, or keep it from falling asleep; never blocks or raises."""
        try:
            os.write(self._pulled, b"!")
        except OSError:
            pass  # closed, or it has rung 65536 times unheard

    def wait(self, timeout_s: float | None, sock: Any = None, events: int = 0) -> tuple[bool, bool]:
        """Wait until ``sock`` is ready, the bell rings, or the time is over.

        Args:
            timeout_s: ``None`` for no limit.
            sock: Anything with a descriptor.
            events: What it shall be ready for, as ``select.poll`` has it; to be read, if not given.

        Returns:
            Whether the bell rang, which is silent again then; whether ``sock`` has something
            to be read, if only its end.

        Raises:
            OSError, ValueError: The socket is closed; by the program itself, it may be.
        """
        import select  # not before somebody waits: a bell may be needed before a process's first line

        # poll, not select: a program may have more than 1024 descriptors.
        poll = select.poll()
        poll.register(self._heard, select.POLLIN)
        if sock is not None:
            poll.register(sock, events or select.POLLIN)
        ready = poll.poll(None if timeout_s is None else timeout_s * 1000)
        has_rung = is_readable = is_lost = False
        for descriptor, event in ready:
            if descriptor == self._heard:
                has_rung = True
                if event & (select.POLLNVAL | select.POLLHUP):
                    self._mend()
            else:
                is_lost = bool(event & select.POLLNVAL)
                is_readable = bool(event & ~select.POLLOUT)
        if is_lost:
            raise OSError(EBADF, os.strerror(EBADF))
        if has_rung:
            try:
                if os.read(self._heard, 65536).strip(b"!"):
                    self._was_signalled = True
            except OSError:
                pass
        return has_rung, is_readable

    def close(self) -> None:
        """Give the descriptors back; idempotent. Nobody may wait any more."""
        heard, pulled = self._heard, self._pulled
        self._heard = self._pulled = -1
        for descriptor in (heard, pulled):
            if descriptor >= 0 and not is_closed(descriptor):
                os.close(descriptor)

    def _mend(self) -> None:
        """The program has closed our descriptors, with all that it had inherited.

        The new ones have the same numbers: a signal's handler knows them.
        """
        for new, old in zip(_pipe(), (self._heard, self._pulled), strict=True):
            take_place(new, old)
        self.mended_s = time.monotonic()


def _pipe() -> tuple[int, int]:
    """One of which neither end waits."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends
