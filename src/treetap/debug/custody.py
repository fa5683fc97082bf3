"""The terminal in custody: who had its foreground and in which modes, and how that comes back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from treetap.debug import terminal

if TYPE_CHECKING:
    from treetap.debug.neighbours import Turn
    from treetap.debug.record import Former, Record


class Custody(ABC):
    """Takes one terminal and gives it back; usually the broker's.

    Args:
        fd: Of the terminal.
        record: Where what is to be given back is written down.
        turn: At this terminal, among other trees, and other brokers of this one.
    """

    def __init__(self, fd: int, record: Record, turn: Turn) -> None:
        self.fd = fd
        self._record = record
        self._turn = turn
        self.former: Former | None = None

    def is_gone(self) -> bool:
        """The terminal is no more."""
        return terminal.modes(self.fd) is None

    def hold(self) -> None:
        """For a console of the broker's, in its own process: as a holder does."""
        self._record.hold()
        self._turn.hold()

    def let_go(self) -> None:
        self._record.let_go()
        self._turn.give()

    def recover(self) -> None:
        """Give back what a dead broker had taken."""
        former = self._record.read()
        if former is not None:
            self.former = former
            self.give_back(0)

    def may_take(self) -> bool:
        """Whether no other tree has the terminal; then none gets it until it is given back."""
        return self._turn.take()

    @abstractmethod
    def take(self, pid: int, root: int) -> Former | None:
        """Take the terminal for ``pid``; ``None`` if another job is in its foreground."""

    def give_back(self, pid: int) -> None:
        """Restore what was, or what comes nearest; ``pid`` was the last holder. Idempotent."""
        former, self.former = self.former, None
        if former is not None:
            self._restore(former, pid)
        self._turn.give()

    @abstractmethod
    def _restore(self, former: Former, pid: int) -> None: ...

    @abstractmethod
    def is_a_shells(self) -> bool:
        """Whether a shell with job control has lent it: it takes it back when its job ends."""

    @abstractmethod
    def retake(self) -> None:
        """Whoever looks after the job has stopped it, and let it go on: it isn't the job's turn."""

    @abstractmethod
    def stay(self) -> None:
        """The holder can't enter our group: it is in the foreground where it was."""

    @abstractmethod
    def forget_typed(self) -> None:
        """The holder has died: what was typed for it is for nobody else."""


class NoTerminal:
    """As a custody of none."""

    fd = -1
    former: Former | None = None

    def is_gone(self) -> bool:
        return True

    def recover(self) -> None:
        pass

    def may_take(self) -> bool:
        return True

    def take(self, _pid: int, _root: int) -> Former | None:
        return None

    def is_a_shells(self) -> bool:
        return False

    def retake(self) -> None:
        pass

    def stay(self) -> None:
        pass

    def forget_typed(self) -> None:
        pass

    def give_back(self, pid: int) -> None:
        pass
