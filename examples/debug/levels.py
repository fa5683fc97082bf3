"""What the examples here share: a function that runs some levels down in a tree of processes."""

from __future__ import annotations

import multiprocessing
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

FORK = multiprocessing.get_context("fork")


def depth() -> int:
    """How deep, by the command line; 1 without."""
    return int(sys.argv[1]) if len(sys.argv) > 1 else 1


def run_below(levels: int, work: Callable[..., None], *arguments: Any) -> int:
    """Run ``work`` so many processes below this one; the exit code that it ends with."""
    if levels == 0:
        work(*arguments)
        return 0
    child = FORK.Process(target=_go_down, args=(levels - 1, work, arguments))
    child.start()
    child.join()
    return child.exitcode or 0


def _go_down(levels: int, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    if code := run_below(levels, work, *arguments):
        sys.exit(code)
