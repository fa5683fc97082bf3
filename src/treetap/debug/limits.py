"""Time limits of the program's own that come up while it waits for the terminal, or is at the prompt.

A signal handler that raises (``signal.alarm``, Celery's soft limit) does so in the middle of our code:
that error is the program's, and goes on to where it stopped, whatever our code would make of an
error of its own. Other limits can be told beforehand that somebody debugs.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType


def is_from_handler(exc: BaseException) -> bool:
    """Whether a signal handler of the program has raised ``exc``."""
    codes = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    trace = exc.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in codes:
            return True
        trace = trace.tb_next
    return False


def suspend_tests_limits(prompt: Any) -> None:
    """Tell pytest's plugins that somebody debugs: pytest-timeout then ends no test of this process.

    pytest does so itself for a ``breakpoint()`` that is its own.
    """
    debugging = sys.modules.get("_pytest.debugging")
    try:
        pdb = debugging.pytestPDB  # type: ignore[union-attr]
        if pdb._config is not None:
            pdb._pluginmanager.hook.pytest_enter_pdb(config=pdb._config, pdb=prompt)
    except Exception:  # noqa: BLE001 - a plugin's, or another pytest than those we know
        return


def _code(handler: Any) -> CodeType | None:
    if not callable(handler):
        return None
    handler = getattr(handler, "func", handler)  # of functools.partial
    if not hasattr(handler, "__code__") and not hasattr(handler, "__func__"):
        handler = getattr(type(handler), "__call__", None)  # noqa: B004 - its code is wanted
    code: CodeType | None = getattr(handler, "__code__", None)
    return code
