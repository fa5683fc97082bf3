"""Getting the interpreter soon, for a thread of ours that has something to do for the user.

A thread that comes back from a system call waits 5 ms for a busy thread to let it run, and arming a
probe takes several such calls. Within ``quick()`` it waits a tenth of a millisecond.
"""

from __future__ import annotations

import sys

_QUICK_S = 0.000_1


class quick:  # noqa: N801 - reads as the statement that it is used in
    """Within it, who waits for the interpreter gets it soon; the program's own interval after it.

    The interval is the process's. If the program sets one meanwhile, that stays.
    """

    __slots__ = ("_found_s", "_ours_s")

    def __enter__(self) -> None:
        self._found_s = sys.getswitchinterval()
        sys.setswitchinterval(min(_QUICK_S, self._found_s))
        # It is kept in whole microseconds, and comes back as another float.
        self._ours_s = sys.getswitchinterval()

    def __exit__(self, *_raised: object) -> None:
        if sys.getswitchinterval() == self._ours_s:
            sys.setswitchinterval(self._found_s)
