"""Programs that an actor had started and, being killed, could not see to.

They are the spawner's children now. One that was sent into a session of its own was meant to stay,
and so was one that an actor left in ending the orderly way.
"""

from __future__ import annotations

import os
import signal
import time

from treetap.actor import kernel
from treetap.actor.fork import ACTOR_VARIABLE, CONTROL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treetap.actor.family import Member


class Strays:
    """Those that are being ended.

    Args:
        grace_s: Between SIGTERM and SIGKILL.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        #: ``{pid: (when it is killed, of which actor it was)}``
        self._doomed: dict[int, tuple[float, Member]] = {}

    def __bool__(self) -> bool:
        return bool(self._doomed)

    def end_those_of(self, member: Member, known: set[int]) -> None:
        """Begin to end what an actor left.

        Args:
            member: It was killed.
            known: Children of this process that are something else.
        """
        for pid in kernel.child_pids():
            if pid in known or pid in self._doomed or not _is_of_this_session(pid):
                continue
            # A copy that never became another program has the actor's first environment, and
            # all of its descriptors.
            if kernel.environment_has(pid, f"{ACTOR_VARIABLE}={member.uid}") or kernel.has_socket(
                pid, CONTROL, member.control_inode
            ):
                _signal(pid, signal.SIGTERM)
                self._doomed[pid] = time.monotonic() + self._grace_s, member

    def note_end(self, pid: int, known: set[int]) -> None:
        """A child has been reaped; if it was one of these, what it had started is our child now."""
        doomed = self._doomed.pop(pid, None)
        if doomed is not None:
            self.end_those_of(doomed[1], known)

    def deadlines(self) -> list[float]:
        """When the next ones are killed."""
        return [when_s for when_s, _member in self._doomed.values()]

    def keep_time(self, now_s: float) -> None:
        """Kill those whose time is over."""
        for pid, (when_s, member) in list(self._doomed.items()):
            if when_s <= now_s:
                _signal(pid, signal.SIGKILL)
                self._doomed[pid] = now_s + 1.0, member


def _is_of_this_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == os.getsid(0)
    except OSError:
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
