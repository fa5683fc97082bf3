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
    from collections.abc import Callable

    from treetap.actor.family import Member

#: How often one that is held is looked at.
_POLL_S = 0.05


class Strays:
    """Those that are being ended.

    Args:
        grace_s: Between SIGTERM and SIGKILL.
        is_held: Whether a process is at a prompt, or waits for one.
    """

    def __init__(self, grace_s: float, is_held: Callable[[int], bool]) -> None:
        self._grace_s = grace_s
        self._is_held = is_held
        #: ``{pid: (when the next step is due, of which actor it was, whether it got SIGTERM)}``
        self._doomed: dict[int, tuple[float, Member, bool]] = {}

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
                self._begin(pid, member, time.monotonic())

    def note_end(self, pid: int, known: set[int]) -> None:
        """A child has been reaped; if it was one of these, what it had started is our child now."""
        doomed = self._doomed.pop(pid, None)
        if doomed is not None:
            self.end_those_of(doomed[1], known)

    def deadlines(self) -> list[float]:
        """When the next ones are killed."""
        return [when_s for when_s, _member, _is_told in self._doomed.values()]

    def keep_time(self, now_s: float) -> None:
        """Kill those whose time is over."""
        for pid, (when_s, member, is_told) in list(self._doomed.items()):
            if when_s > now_s:
                continue
            if not is_told or self._is_held(pid):
                self._begin(pid, member, now_s)
            else:
                _signal(pid, signal.SIGKILL)
                self._doomed[pid] = now_s + 1.0, member, True

    def _begin(self, pid: int, member: Member, now_s: float) -> None:
        is_held = self._is_held(pid)
        if not is_held:
            _signal(pid, signal.SIGTERM)
        self._doomed[pid] = now_s + (_POLL_S if is_held else self._grace_s), member, not is_held


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
