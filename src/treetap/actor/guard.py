"""Nobody who is at a prompt, or waits for one, is ended by a supervisor: the spawner's part in that.

Who holds the terminal and who waits for it only the broker knows (``treetap.debug``). The spawner asks
it, for it is the one process that kills actors, knows whose child each is, and is never held up: it
answers for an actor whose loop stands at a prompt. It asks when somebody is to be ended, and then
twenty times a second for as long as that has to wait; in a tree where nobody has paused it looks into
one directory. What an end that is *deferred* means:

============================  ====================================================================
``portal.cancel()``, the end  the parent asks first (``ask``), is answered ``held`` at once, says who
of a nursery, ``kill``        holds, and tells the child to end when it hears ``free``
a time limit of an ``end``    begins anew with the release
an actor whose parent died    lives until the release; then it gets SIGTERM, and its grace
a program that a killed       likewise
actor has left
============================  ====================================================================

An actor is held if it, a program of its own, or an actor below it holds or waits. Nobody is waited for
when the root has ended or was told to by a signal, or after ``max_hold_s``.
"""

from __future__ import annotations

import os
import time

from treetap.actor import prompts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treetap.actor.family import Family, Member

#: How often the broker is asked while an end is deferred.
POLL_S = 0.05
_MAX_NAMED = 3
_COMING = "who is about to have it"


class Guard:
    """Knows who is held.

    Args:
        family: Of the tree.
        home: Of treetap.
        tree: By which the broker knows it.
        max_hold_s: So long an end is deferred at most; 0: without limit.

    Attributes:
        is_off: Nobody is waited for any more.
    """

    def __init__(self, family: Family, home: str, tree: str, max_hold_s: float) -> None:
        self.is_off = False
        self._family = family
        self._home = home
        self._tree = tree
        self._max_hold_s = max_hold_s
        self._known_until_s = 0.0
        self._is_broker_coming = False
        self._was_anybody = False
        #: Who holds or waits, by the ``uid`` of each member that is held for it.
        self._by_uid: dict[str, list[str]] = {}
        #: The processes between those and the members that they belong to.
        self._pids: set[int] = set()

    def holders(self, member: Member) -> list[str]:
        """For whom ``member`` is held; empty if it isn't."""
        if self.is_off or member.is_forced:
            return []
        self._look()
        if self._is_broker_coming:
            return [_COMING]
        return self._by_uid.get(member.uid, [])

    def forget(self) -> None:
        """What was seen is too old for what is asked next."""
        self._known_until_s = 0.0

    def is_program_held(self, pid: int) -> bool:
        """Whether a process that is no actor is held."""
        if self.is_off:
            return False
        self._look()
        return self._is_broker_coming or pid in self._pids

    def is_overdue(self, member: Member, now_s: float) -> bool:
        """Whether the end of ``member`` has been deferred for too long."""
        return bool(
            self._max_hold_s
            and member.held_since_s is not None
            and now_s - member.held_since_s > self._max_hold_s
        )

    def _look(self) -> None:
        if time.monotonic() < self._known_until_s:
            return
        self._by_uid, self._pids = {}, set()
        paths = prompts.traces(self._home, self._tree)
        is_listening = any(path.endswith(".sock") for path in paths)
        self._is_broker_coming = not is_listening and prompts.is_broker_coming(paths)
        if is_listening:
            self._ask()
        self._known_until_s = time.monotonic() + POLL_S / 2

    def _ask(self) -> None:
        from treetap.debug.standing import holders

        found = holders(self._tree, home=self._home)
        if not found and self._was_anybody:
            # Whatever made it silent, it is asked once more before somebody is killed.
            found = holders(self._tree, home=self._home)
        self._was_anybody = bool(found)
        for one in found:
            member = self._member_of(one.pid)
            # A holder whose broker was killed is known by its pid alone.
            label = one.label
            if label.startswith("(") and member is not None:
                label = f"{member.name} {label}"
            while member is not None:
                self._by_uid.setdefault(member.uid, []).append(label)
                member = member.parent

    def _member_of(self, pid: int) -> Member | None:
        """The actor that a process is, or that has started it."""
        from treetap.debug.kinship import read_process

        while pid > 1 and pid != os.getpid():
            self._pids.add(pid)
            member = self._family.with_pid(pid)
            if member is not None:
                return member
            process = read_process(pid)
            pid = process.parent if process is not None else 0
        return None


class Deferral:
    """The ends that have to wait, and the parents that were told so.

    Args:
        guard: Knows who is held.
        tell: Sends a message to the parent of a member, if that lives.
    """

    def __init__(self, guard: Guard, tell: Callable[[Member, dict[str, Any]], None]) -> None:
        self._guard = guard
        self._tell = tell
        self._told: dict[str, Member] = {}

    def __bool__(self) -> bool:
        return bool(self._told)

    def is_due(self, member: Member) -> bool:
        """Whether the end of ``member`` has to wait; its parent is told when that changes."""
        now_s = time.monotonic()
        by = self._guard.holders(member)
        if by and self._guard.is_overdue(member, now_s):
            for each in member.descent():
                each.is_forced = True
            by = []
        if by and member.uid not in self._told:
            self._told[member.uid] = member
            member.held_since_s = now_s
            self._tell(member, {"op": "held", "uid": member.uid, "by": _listed(by)})
        elif not by and self._told.pop(member.uid, None) is not None:
            member.held_since_s = None
            self._tell(member, {"op": "free", "uid": member.uid})
        return bool(by)

    def ask(self, member: Member) -> None:
        """Its parent wants to end it: it is told whether that has to wait."""
        self._told.pop(member.uid, None)
        self._guard.forget()
        if not self.is_due(member):
            self._tell(member, {"op": "free", "uid": member.uid})

    def keep_time(self) -> None:
        """Tell those who wait for it what has changed."""
        for member in list(self._told.values()):
            self.is_due(member)

    def forget(self, member: Member) -> None:
        """Nothing is left of it."""
        self._told.pop(member.uid, None)


def _listed(labels: list[str]) -> str:
    named = ", ".join(labels[:_MAX_NAMED])
    return named if len(labels) <= _MAX_NAMED else f"{named} and {len(labels) - _MAX_NAMED} more"
