"""What ``treetap run --on-crash`` sets in each process of the tree: the prompt, where an exception ends it.

``sys.excepthook`` and ``threading.excepthook`` see what nobody has caught; a child of multiprocessing
catches everything itself, so what it runs is wrapped.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from treetap.debug.crash import catch_crashes, is_crash, look_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


def install() -> None:
    """Set the hooks; what was there is called after the prompt."""
    import threading
    from multiprocessing.process import BaseProcess

    sys.excepthook = _after_a_look(sys.excepthook)
    threading.excepthook = _after_a_look_in_a_thread(threading.excepthook)
    process: Any = BaseProcess
    process._bootstrap = _guarding(process._bootstrap)


def _after_a_look(
    report: Callable[[type[BaseException], BaseException, TracebackType | None], Any],
) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    def look(kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
        report(kind, exc, trace)
        if is_crash(exc):
            look_at(exc)

    return look


def _after_a_look_in_a_thread(report: Callable[[Any], Any]) -> Callable[[Any], None]:
    def look(failure: Any) -> None:
        report(failure)
        if failure.exc_value is not None and is_crash(failure.exc_value):
            look_at(failure.exc_value)

    return look


def _guarding(bootstrap: Callable[..., Any]) -> Callable[..., Any]:
    def run(process: Any, *args: Any, **kwargs: Any) -> Any:
        # The instance's, for a class may have a ``run`` of its own.
        process.run = catch_crashes()(process.run)
        return bootstrap(process, *args, **kwargs)

    return run
