"""Starting a thread of ours: not by ``threading``, whose table of threads is the program's.

A process may end the moment after. On 3.11 the interpreter frees the state of a thread that has not
begun to run by then, and the thread crashes on it; so a start is over when the thread runs.
"""

from __future__ import annotations

import _thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def start(run: Callable[..., Any], *arguments: Any) -> None:
    """Call ``run`` in a new daemon thread; returns once that runs.

    Raises:
        RuntimeError: No thread can be started.
    """
    begun = _thread.allocate_lock()
    begun.acquire()

    def begin() -> None:
        begun.release()
        run(*arguments)

    _thread.start_new_thread(begin, ())
    begun.acquire()
