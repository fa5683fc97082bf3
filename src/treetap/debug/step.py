"""A step of one task that goes on while another task of the same thread is at the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from treetap.debug import task as tasks

if TYPE_CHECKING:
    from bdb import Bdb
    from types import FrameType


class Step(NamedTuple):
    """Where it is to stop.

    Attributes:
        task: That steps; ``None`` outside of all tasks.
        bottom: The outermost frame of its program.
        stop: As ``bdb`` has it: the frame to stop in, that whose return ends it, the line.
        bottom_of_stack: Likewise.
    """

    task: Any
    bottom: FrameType | None
    stop: tuple[FrameType | None, FrameType | None, int]
    bottom_of_stack: FrameType | None

    @classmethod
    def of(cls, pdb: Bdb, task: Any, bottom: FrameType | None) -> Step:
        stop = (pdb.stopframe, pdb.returnframe, pdb.stoplineno)
        return cls(task, bottom, stop, pdb.botframe)

    @property
    def is_under_way(self) -> bool:
        """Whether its task goes on: there may be nothing left that could stop."""
        return self.task is None or bool(tasks.frames(self.task))

    def set_on(self, pdb: Bdb) -> None:
        pdb._set_stopinfo(*self.stop)  # type: ignore[attr-defined]
        pdb.botframe = self.bottom_of_stack
