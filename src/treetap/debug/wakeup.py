"""What the signals of a process write to its event loop, without those that are the prompt's.

CPython writes a byte for each signal to the loop's wakeup descriptor, whoever handles the signal; and
asyncio, whose ``add_signal_handler`` works by that byte alone, would take a ctrl-c at the prompt for
one of the program's. While the shield is on, the bytes come through here.
"""

from __future__ import annotations

import os
import signal
import socket
import threading

#: Wakes a loop, and means no signal.
_NOTHING = b"\0"


class Wakeup:
    """The process's wakeup descriptor, while it is ours; used in the main thread."""

    def __init__(self) -> None:
        self._former = -1
        self._own: socket.socket | None = None

    def divert(self) -> None:
        """From now on no byte for SIGINT reaches the loop; if there is one."""
        former = signal.set_wakeup_fd(-1)
        if former < 0:
            return
        reader, writer = socket.socketpair()
        writer.setblocking(False)
        self._former, self._own = former, writer
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(
            target=_pass_on, args=(reader, former), name="treetap-wakeup", daemon=True
        ).start()

    def restore(self) -> None:
        own, self._own = self._own, None
        if own is None:
            return
        now = signal.set_wakeup_fd(self._former, warn_on_full_buffer=False)
        if now != own.fileno():
            signal.set_wakeup_fd(now)  # a loop has ended, or begun
        own.close()


def _pass_on(reader: socket.socket, loop: int) -> None:
    with reader:
        while received := reader.recv(4096):
            try:
                os.write(loop, received.replace(bytes([signal.SIGINT]), _NOTHING))
            except OSError:
                pass  # it is full, and awake then; or closed
