"""The bounded buffer between the program's threads and the shipper, and a counter of its kind.

A ring is a ``deque`` with a maximal length, so that the injected code appends with one C call: bounded
without a check, atomic without a lock, and faster than a growing list, since the memory of dropped
rows is used again. What a ``deque`` doesn't tell is how many rows it has dropped. CPython's deque
counts its own mutations (``state`` in ``dequeobject``, there since 2.3, so that iterators notice a
change): one for each append, whether it drops or not, and one for each popleft. So
``appended = state - popped`` is exact, and costs a hit nothing. Where the field can't be read (it is
looked for, and tried out, at import), a ring counts in Python instead: slower, and as exact.

Rejected: a number in each row from ``itertools.count`` (+25 ns a hit); a bounded list
(``if len(buf) < n``, +24 ns); a list trimmed by the shipper (unbounded while the shipper has no GIL).
"""

from __future__ import annotations

from _operator import length_hint
from itertools import repeat

from treetap.interpreter import deque, partial
from treetap.probe.memory import WORD_BYTES, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: Rows a ring holds. A program appends at most about 35 000 in a switch interval (5 ms), which is
#: how long a shipper may wait for the GIL.
CAPACITY_ROWS = 65_536

_STATE_OFFSETS_BYTES = (56, 48, 64, 72)


def _find_state_offset() -> int:
    """Where a deque keeps its mutation counter; 0 if it isn't found by trying."""
    for offset in _STATE_OFFSETS_BYTES:
        trial: deque[int] = deque(maxlen=3)
        if trial.__sizeof__() < offset + WORD_BYTES:
            continue
        state = Word.from_address(id(trial) + offset)
        seen = [state.value or 0]
        for number in range(7):
            trial.append(number)
            seen.append(state.value)
        trial.popleft()
        seen.append(state.value)
        if seen == list(range(9)):
            return offset
    return 0


_STATE_OFFSET = _find_state_offset()


class Ring:
    """A drop-oldest buffer of rows that knows exactly how many it has dropped.

    ``append`` may be called by any thread at any time; ``drain`` by one thread at a time.
    """

    def __init__(self, capacity_rows: int = CAPACITY_ROWS, *, counts_by_state: bool = True) -> None:
        self.rows: deque[Any] = deque(maxlen=capacity_rows)
        self._popped = 0
        self.append: Callable[[Any], None] = self.rows.append
        if counts_by_state and _STATE_OFFSET:
            self._state = Word.from_address(id(self.rows) + _STATE_OFFSET)
        else:
            self._counter = Counter()
            self.append = self._append_counting

    @property
    def is_inlinable(self) -> bool:
        """Whether code may append to ``rows`` itself, without ``append``."""
        return hasattr(self, "_state")

    def _append_counting(self, row: Any) -> None:
        self.rows.append(row)
        self._counter.add()

    def _read(self) -> tuple[int, int]:
        """Rows appended so far, and rows held, at one moment."""
        while True:
            before = self._mutations()
            held = len(self.rows)
            if self._mutations() == before:
                return before - self._popped if self.is_inlinable else before, held

    def _mutations(self) -> int:
        return (self._state.value or 0) if self.is_inlinable else self._counter.value

    @property
    def appended(self) -> int:
        """Rows ever appended, dropped ones too."""
        return self._read()[0]

    @property
    def lost(self) -> int:
        """Rows dropped because nobody took them in time."""
        appended, held = self._read()
        return max(0, appended - held - self._popped)

    def drain(self, max_rows: int) -> tuple[int, list[Any]]:
        """Take the oldest rows.

        Returns:
            The number of the first row, and the rows. Numbers count from 0; a gap to the row before
            is what was lost.
        """
        taking = min(len(self.rows), max_rows)
        if not taking:
            return 0, []
        popleft = self.rows.popleft
        rows = [popleft() for _ in repeat(None, taking)]
        popped_before = self._popped
        self._popped += taking
        return popped_before + self.lost, rows

    def start_over(self) -> None:
        """Empty, with all counts at 0: for a forked child, where no other thread runs."""
        self.rows.clear()
        self._popped = 0
        if self.is_inlinable:
            self._state.value = 0
        else:
            self._counter.start_over()


class Counter:
    """Counts in one C call that any thread may make: ``next(counter.ticks)``.

    The ticks are an iterator that knows how many are left. 12 ns, and exact where ``n += 1`` loses
    updates between threads.
    """

    _TICKS = 2**62

    def __init__(self) -> None:
        self.ticks = repeat(None, self._TICKS)
        self.add: Callable[[], None] = partial(next, self.ticks)
        self._before = 0

    @property
    def value(self) -> int:
        return self._TICKS - length_hint(self.ticks) - self._before

    def start_over(self) -> None:
        """Count from 0, with the same ticks: running code holds them."""
        self._before += self.value
