"""The terminal lock: who may read and draw on the terminal. A pure state machine.

First come, first served; the holder may ask again and gets it at once, and must then release as
often. It does no I/O and knows no clock: each call says what follows from it, and the broker tells
those whom it concerns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from treetap.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Hashable

Party = TypeVar("Party", bound="Hashable")

ABSENT = "absent"
WAITING = "waiting"
HOLDING = "holding"

#: ``{(state, trigger): state}`` of one party. The inner release is one of several that are due.
TRANSITIONS = {
    (ABSENT, "request"): WAITING,
    (ABSENT, "die"): ABSENT,
    (WAITING, "grant"): HOLDING,
    (WAITING, "withdraw"): ABSENT,
    (WAITING, "die"): ABSENT,
    (HOLDING, "request"): HOLDING,
    (HOLDING, "release-inner"): HOLDING,
    (HOLDING, "release"): ABSENT,
    (HOLDING, "die"): ABSENT,
}


class Granted(NamedTuple, Generic[Party]):
    """``party`` holds the terminal now, or still: it had asked again, or released once of twice."""

    party: Party


class Placed(NamedTuple, Generic[Party]):
    """``party`` is in the queue; ``place`` 1 is the next."""

    party: Party
    place: int


class Freed(NamedTuple):
    """Nobody holds the terminal any more."""


class Lock(Generic[Party]):
    """One terminal's lock. A party is whatever the owner tells apart: a connection."""

    def __init__(self) -> None:
        self._holder: Party | None = None
        self._times = 0
        self._queue: list[Party] = []

    @property
    def holder(self) -> Party | None:
        return self._holder

    @property
    def waiting(self) -> tuple[Party, ...]:
        """The queue, the next one first."""
        return tuple(self._queue)

    def state(self, party: Party) -> str:
        if self._times and party == self._holder:
            return HOLDING
        return WAITING if party in self._queue else ABSENT

    def request(self, party: Party) -> list[Granted[Party] | Placed[Party] | Freed]:
        """``party`` wants the terminal.

        Raises:
            StateError: It waits for it already (slug ``state-illegal``).
        """
        after = self._next(party, "request")
        if after == HOLDING:
            self._times += 1
            return [Granted(party)]
        self._queue.append(party)
        return self._grant_next() if not self._times else [Placed(party, len(self._queue))]

    def release(self, party: Party) -> list[Granted[Party] | Placed[Party] | Freed]:
        """The holder is done, as often as it had asked.

        Raises:
            StateError: It isn't the holder (slug ``state-illegal``).
        """
        if self._times > 1 and party == self._holder:
            self._next(party, "release-inner")
            self._times -= 1
            return [Granted(party)]
        self._next(party, "release")
        return self._free()

    def withdraw(self, party: Party) -> list[Granted[Party] | Placed[Party] | Freed]:
        """A waiter gives up.

        Raises:
            StateError: It doesn't wait (slug ``state-illegal``).
        """
        self._next(party, "withdraw")
        return self._leave_queue(party)

    def die(self, party: Party) -> list[Granted[Party] | Placed[Party] | Freed]:
        """``party`` is gone, whatever it was doing. Idempotent."""
        before = self.state(party)
        self._next(party, "die")
        if before == HOLDING:
            return self._free()
        return self._leave_queue(party) if before == WAITING else []

    def _next(self, party: Party, trigger: str) -> str:
        state = self.state(party)
        try:
            return TRANSITIONS[state, trigger]
        except KeyError:
            known = ", ".join(t for s, t in TRANSITIONS if s == state)
            raise StateError(
                f"A party that is {state} can't take the trigger {trigger!r}.",
                f"It takes: {known}.",
                slug="state-illegal",
            ) from None

    def _leave_queue(self, party: Party) -> list[Granted[Party] | Placed[Party] | Freed]:
        index = self._queue.index(party)
        del self._queue[index]
        return self._places(index)

    def _free(self) -> list[Granted[Party] | Placed[Party] | Freed]:
        self._holder, self._times = None, 0
        return self._grant_next() if self._queue else [Freed()]

    def _grant_next(self) -> list[Granted[Party] | Placed[Party] | Freed]:
        party = self._queue[0]
        self._next(party, "grant")
        del self._queue[0]
        self._holder, self._times = party, 1
        return [Granted(party), *self._places(0)]

    def _places(self, first: int) -> list[Granted[Party] | Placed[Party] | Freed]:
        moved = enumerate(self._queue[first:], first + 1)
        return [Placed(other, place) for place, other in moved]
